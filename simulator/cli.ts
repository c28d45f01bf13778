/** The simulator as a program: started by `fedbatch run --simulate`, it answers requests until its stdin ends. */
import { createInterface } from 'node:readline';
import { Command } from 'commander';
import {
  backendOption,
  choiceOf,
  type EngineFlags,
  engineOption,
  threadsOption,
} from '../lib/cli/engine-options.js';
import { integerOption } from '../lib/cli/options.js';
import { isMain, type ProgramContext, runProgram } from '../lib/cli/program.js';
import {
  addStrategyOptions,
  checkTraining,
  type StrategyFlags,
  strategyOf,
} from '../lib/cli/strategy-options.js';
import {
  addTrainingOptions,
  localWorkOf,
  optimizerOf,
  type TrainingFlags,
} from '../lib/cli/training-options.js';
import { UsageError } from '../lib/core/errors.js';
import { clientSide } from '../lib/federation/strategies/strategy-settings.js';
import { type SimulatorRequest, simulatorRequestSchema } from '../lib/formats/simulation-messages.js';
import { availableCores } from '../lib/system/hardware.js';
import { openSimulator, type Simulator } from './simulator.js';

interface SimulatorFlags extends EngineFlags, TrainingFlags, StrategyFlags {
  readonly data: string;
  readonly seed: number;
  readonly jobs: number;
  readonly threads: number;
  readonly dpNoiseFile?: string;
  readonly volume?: string;
}

const EXAMPLE = `
Example:
  npx fedbatch split --data mnist --clients 1000 --out data --virtual
  npx fedbatch init --data data/test.npz --out global.h5
  echo '{"request":"train","round":1,"global":"global.h5","clients":[0,1,2]}' | node dist/simulator/cli.js --data data

Requests, one JSON object a line, each answered by a line on stdout:
  {"request":"train","round":1,"global":"<h5>","clients":[0,1]}   trains, and aggregates the updates in memory
  {"request":"save","file":"<h5>","minUpdates":2}                 writes the global model that this came to
  {"request":"evaluate","model":"<h5>","file":"accuracy.json"}    tests a model on the held-out examples`;

/** The command of the simulator. */
function simulatorCommand(context: ProgramContext): Command {
  const command = new Command('simulator')
    .description(
      'Train virtual clients on a split made with --virtual; npx fedbatch run --simulate starts it.',
    )
    .requiredOption('--data <dir>', 'directory of the split');
  return addStrategyOptions(addTrainingOptions(command))
    .option('--dp-noise-file <json>', 'privacy: where the secret key of the noise lies')
    .option('--volume <dir>', "the run's volume, for a strategy whose clients go on from earlier rounds")
    .option('--seed <n>', 'seeds shuffling, dropout and noise', integerOption(), 0)
    .option('--jobs <count>', 'workers', integerOption({ min: 1 }), availableCores())
    .addOption(engineOption())
    .addOption(backendOption())
    .addOption(threadsOption('processor threads of each worker').default(1))
    .addHelpText('after', EXAMPLE)
    .action(async (flags: SimulatorFlags) => {
      const { data, batch: batchSize, proximal, seed, jobs, threads, dpNoiseFile: noiseFile, volume } = flags;
      const work = localWorkOf(flags);
      const [optimizer, engine] = [optimizerOf(flags), choiceOf(flags)];
      checkTraining(flags.strategy, { optimizer, proximal });
      if (clientSide(flags.strategy)?.keeps !== undefined && volume === undefined)
        throw new UsageError(
          `--strategy ${flags.strategy} keeps what clients remember on the run's --volume: name it.`,
        );
      const plan = { work, batchSize, optimizer, proximal, seed, engine, threads };
      const simulator = await openSimulator(
        { data, jobs, strategy: strategyOf(flags), noiseFile, volume, ...plan },
        context,
      );
      try {
        await answerRequests(simulator, context.signal);
      } finally {
        await simulator.close();
        // Whoever writes the requests may keep it open: what has failed must end all the same.
        process.stdin.destroy();
      }
    });
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
