/** The simulator as a program: started by `fedbatch run --simulate`, it answers requests until its stdin ends. */
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { Command } from 'commander';
import { integerOption, threadsOption } from '../lib/cli/options.js';
import { isMain, type ProgramContext, runProgram } from '../lib/cli/program.js';
import { UsageError } from '../lib/core/errors.js';
import { clientSide } from '../lib/federation/strategies/strategy-settings.js';
import { type SimulatorRequest, simulatorRequestSchema } from '../lib/formats/simulation-messages.js';
import { strategySettings } from '../lib/settings/checks.js';
import { completeSettings } from '../lib/settings/complete.js';
import { addSettings, askedByFlags } from '../lib/settings/options.js';
import { SEED } from '../lib/settings/parts/data.js';
import { ENGINE, engineAsked } from '../lib/settings/parts/engine.js';
import { STRATEGY } from '../lib/settings/parts/strategy.js';
import { optimizerAsked, TRAINING } from '../lib/settings/parts/training.js';
import { availableCores } from '../lib/system/hardware.js';
import { openSimulator, type Simulator } from './simulator.js';

interface SimulatorFlags {
  readonly data: string;
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

const SETTINGS = { parts: [SEED, ENGINE, TRAINING, STRATEGY], stage: 'simulate' } as const;

/** Where requests come from, and where replies go. */
interface Conversation {
  readonly stdin: Readable;
  readonly stdout: { write(text: string): unknown };
}

/** The command of the simulator. */
export function simulatorCli(context: ProgramContext, { stdin, stdout }: Conversation = process): Command {
  const command = new Command('simulator')
    .description(
      'Train virtual clients on a split made with --virtual; npx fedbatch run --simulate starts it.',
    )
    .requiredOption('--data <dir>', 'directory of the split');
  return addSettings(command, SETTINGS)
    .option('--dp-noise-file <json>', 'privacy: where the secret key of the noise lies')
    .option('--volume <dir>', "the run's volume, for a strategy whose clients keep state between rounds")
    .option('--jobs <count>', 'workers', integerOption({ min: 1 }), availableCores())
    .addOption(threadsOption('processor threads of each worker').default(1))
    .addHelpText('after', EXAMPLE)
    .action(async (flags: SimulatorFlags) => {
      const { data, jobs, threads, dpNoiseFile: noiseFile, volume } = flags;
      const asked = askedByFlags(command, SETTINGS);
      const { seed, training } = completeSettings(SETTINGS.parts, asked);
      const [optimizer, engine] = [optimizerAsked(asked), engineAsked(asked)];
      const plan = { training, optimizer, seed, engine, threads };
      const strategy = strategySettings(asked);
      if (clientSide(strategy.name)?.keeps !== undefined && volume === undefined)
        throw new UsageError(
          `--strategy ${strategy.name} keeps what clients remember on the run's --volume: name it.`,
        );
      const simulator = await openSimulator(
        { data, jobs, strategy, noiseFile, volume, named: asked.named, ...plan },
        context,
      );
      try {
        await answerRequests(simulator, { stdin, stdout }, context.signal);
      } finally {
        await simulator.close();
        // Whoever writes the requests may keep it open: what has failed must end all the same.
        stdin.destroy();
      }
    });
}

async function answerRequests(
  simulator: Simulator,
  { stdin, stdout }: Conversation,
  signal: AbortSignal,
): Promise<void> {
  for await (const line of createInterface({ input: stdin, signal })) {
    if (line.trim() === '') continue;
    const reply = await answer(simulator, parseRequest(line));
    stdout.write(`${JSON.stringify(reply)}\n`);
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

if (isMain(import.meta.url)) await runProgram(simulatorCli, process.argv.slice(2));
