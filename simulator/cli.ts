/** The simulator as a program: started by `fedbatch run --simulate`, it answers requests until its stdin ends. */
import { createInterface } from 'node:readline';
import { Command, Option } from 'commander';
import {
  backendOption,
  choiceOf,
  type EngineFlags,
  engineOption,
  threadsOption,
} from '../lib/cli/engine-options.js';
import { isMain } from '../lib/cli/is-main.js';
import { integerOption, numberOption } from '../lib/cli/options.js';
import { type ProgramContext, runProgram } from '../lib/cli/program.js';
import { UsageError } from '../lib/federation/errors.js';
import { type SimulatorRequest, simulatorRequestSchema } from '../lib/formats/simulation-messages.js';
import { availableCores } from '../lib/system/cores.js';
import { openSimulator, type Simulator } from './simulator.js';

interface SimulatorFlags extends EngineFlags {
  readonly data: string;
  readonly epoch: number;
  readonly batch: number;
  readonly optimizer: 'adam' | 'sgd';
  readonly learningRate: number;
  readonly momentum: number;
  readonly seed: number;
  readonly jobs: number;
  readonly threads: number;
}

const EXAMPLE = `
Example:
  fedbatch split --data mnist --n-container 1000 --savedir data --virtual
  fedbatch init --data data/test.npz --savemodel global.h5
  echo '{"request":"train","round":1,"global":"global.h5","clients":[0,1,2]}' | node dist/simulator/cli.js --data data

Requests, one JSON object a line, each answered by a line on stdout:
  {"request":"train","round":1,"global":"<h5>","clients":[0,1]}   trains, and aggregates the updates in memory
  {"request":"save","file":"<h5>","minUpdates":2}                 writes the global model that this came to
  {"request":"evaluate","model":"<h5>","file":"accuracy.json"}    tests a model on the held-out examples`;

/** The command of the simulator. */
export function simulatorCommand(context: ProgramContext): Command {
  return new Command('simulator')
    .description('Train virtual clients on a split made with --virtual; fedbatch run --simulate starts it.')
    .requiredOption('--data <dir>', 'directory of the split')
    .option('--epoch <E>', 'passes over a shard', integerOption({ min: 1 }), 2)
    .option('--batch <B>', 'examples per step', integerOption({ min: 1 }), 100)
    .addOption(
      new Option('--optimizer <name>', 'how weights are updated').choices(['adam', 'sgd']).default('adam'),
    )
    .option('--learning-rate <eta>', 'step size', numberOption({ min: 0 }), 0.001)
    .option('--momentum <m>', 'momentum of sgd', numberOption({ min: 0, max: 1 }), 0.9)
    .option('--seed <n>', 'seeds shuffling and dropout', integerOption(), 0)
    .option('--jobs <count>', 'workers', integerOption({ min: 1 }), availableCores())
    .addOption(engineOption())
    .addOption(backendOption())
    .addOption(threadsOption('processor threads of each worker').default(1))
    .addHelpText('after', EXAMPLE)
    .action(async (flags: SimulatorFlags) => {
      const { data, epoch: epochs, batch: batchSize, seed, jobs, threads } = flags;
      const plan = {
        epochs,
        batchSize,
        optimizer: optimizerOf(flags),
        seed,
        engine: choiceOf(flags),
        threads,
      };
      const simulator = await openSimulator({ data, jobs, ...plan }, context);
      try {
        await answerRequests(simulator, context.signal);
      } finally {
        await simulator.close();
      }
    });
}

function optimizerOf({ optimizer, learningRate, momentum }: SimulatorFlags) {
  if (optimizer === 'sgd') return { kind: 'sgd', learningRate, momentum } as const;
  return { kind: 'adam', learningRate, beta1: 0.9, beta2: 0.999, epsilon: 1e-7 } as const;
}

async function answerRequests(simulator: Simulator, signal: AbortSignal): Promise<void> {
  for await (const line of createInterface({ input: process.stdin, signal })) {
    if (line.trim() === '') continue;
    const reply = await answer(simulator, parseRequest(line));
    process.stdout.write(`${JSON.stringify(reply)}\n`);
  }
  signal.throwIfAborted();
}

function answer(simulator: Simulator, request: SimulatorRequest): Promise<unknown> {
  if (request.request === 'train') return simulator.train(request);
  return request.request === 'save' ? simulator.save(request) : simulator.evaluate(request);
}

/** @throws {UsageError} for what is no request */
function parseRequest(line: string): SimulatorRequest {
  try {
    return simulatorRequestSchema.parse(JSON.parse(line));
  } catch (cause) {
    throw new UsageError(`Expected a request as --help shows them, found: ${line.slice(0, 200)}`, { cause });
  }
}

if (isMain(import.meta.url)) await runProgram(simulatorCommand, process.argv.slice(2));
