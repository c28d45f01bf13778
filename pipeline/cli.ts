/** `fedbatch run`: the whole job with one command. */
import { resolve } from 'node:path';
import { Command, Option } from 'commander';
import { backendOption, choiceOf, type EngineFlags, engineOption } from '../lib/cli/engine-options.js';
import { isMain } from '../lib/cli/is-main.js';
import { integerOption, MAX_THREADS, numberOption } from '../lib/cli/options.js';
import { addPartitionOptions, type PartitionFlags, partitionOf } from '../lib/cli/partition-options.js';
import { type ProgramContext, runProgram } from '../lib/cli/program.js';
import {
  addStrategyOptions,
  type StrategyFlags,
  strategyArguments,
  strategyOf,
} from '../lib/cli/strategy-options.js';
import {
  addScheduleOptions,
  addTrainingOptions,
  localWorkOf,
  modelOption,
  type ScheduleFlags,
  scheduleOf,
  type TrainingFlags,
} from '../lib/cli/training-options.js';
import { packageVersion } from '../lib/cli/version.js';
import { ThresholdError, UsageError } from '../lib/federation/errors.js';
import { selectedCount } from '../lib/federation/participation.js';
import { checkClients } from '../lib/federation/strategies/strategy-settings.js';
import type { RunSettings } from '../lib/formats/run-record.js';
import {
  addFederationOptions,
  type FederationFlags,
  federationOf,
  toleranceOf,
} from './federation-options.js';
import { numberOfClients } from './number-of-clients.js';
import { openTrainingPipe } from './piped/training-pipe.js';
import { DATASET_NAMES } from './settings.js';

/** Who trains the clients: processes of this machine, or whoever reads tasks from stdout and answers on stdin. */
const TRAINERS = ['processes', 'pipe'] as const;
type Trainers = (typeof TRAINERS)[number];

/** Local epochs per round. */
const EPOCHS = '--epochs';

interface RunFlags
  extends EngineFlags,
    FederationFlags,
    TrainingFlags,
    ScheduleFlags,
    StrategyFlags,
    PartitionFlags {
  readonly data: string;
  readonly epochs?: number;
  readonly model: string;
  readonly simulate?: true;
  readonly trainers: Trainers;
  readonly seed: number;
  readonly volume?: string;
  readonly jobs?: number;
  readonly threads?: number;
  readonly minAccuracy?: number;
  readonly serve?: true;
  readonly host: string;
  readonly port: number;
  readonly json?: true;
  readonly fresh?: true;
}

const EXAMPLES = `
Examples:
  fedbatch run --serve                                    generated digits, 3 clients, then the web page
  fedbatch run --data mnist.npz --clients 10 --rounds 5   your own data, federated averaging over 5 rounds
  fedbatch run --clients 100 --fraction 0.1 --quorum 80% --rounds 50 --target-accuracy 0.97
                                                          10 clients a round, 8 of which have to report
  fedbatch run --json --min-accuracy 0.97                 for scripts: one JSON line, exit code 4 below 97 %

A second run with the same options goes on where the first one stopped, and skips what is done.`;

/** The command of the pipeline. */
export function runCommand({ reporter, signal }: ProgramContext): Command {
  const command = new Command('run')
    .description(
      'Run the whole job: split, train every client, aggregate, test and, with --serve, serve the model.',
    )
    .option('--data <npz>', `dataset: an npz file, or one of ${DATASET_NAMES.join(', ')}`, 'digits')
    .addOption(modelOption());
  addFederationOptions(command);
  addPartitionOptions(command);
  addScheduleOptions(addTrainingOptions(command, `${EPOCHS} <E>`))
    .option(
      '--simulate',
      'clients as data, not processes: for thousands of them on one machine; the same models, but no update files',
    )
    .addOption(trainersOption())
    .option('--seed <number>', 'everything random derives from it', integerOption(), 0);
  return addStrategyOptions(command)
    .option('--volume <dir>', "directory of the run's files (default: runs/<run id>)")
    .option(
      '--jobs <count>',
      'trainers side by side, with --simulate workers (default: as many as the cores have room for)',
      integerOption({ min: 1 }),
    )
    .option(
      '--threads <count>',
      'threads of each trainer (default: so that all clients are done soonest; with --simulate 1)',
      integerOption({ min: 1, max: MAX_THREADS }),
    )
    .addOption(engineOption())
    .addOption(backendOption())
    .option(
      '--min-accuracy <share>',
      'end with exit code 4 below this accuracy',
      numberOption({ min: 0, max: 1 }),
    )
    .option('--serve', 'serve the model on a web page afterwards, until Ctrl-C')
    .option('--host <address>', 'address that the page listens on', '127.0.0.1')
    .option('--port <number>', 'port of the page', integerOption({ min: 0, max: 65535 }), 5000)
    .option('--json', 'print one JSON line on stdout at the end, everything else on stderr')
    .option('--fresh', 'start over: remove the files of the run that lies in the volume')
    .addHelpText('after', EXAMPLES)
    .action(async (flags: RunFlags, command: Command) => {
      const context = { reporter, signal };
      const { runJob } = await import('./run.js');
      const { jsonLine, summary } = await import('./summary.js');
      const { volume, jobs, threads, fresh = false, minAccuracy } = flags;
      const settings = await settingsOf(flags);
      const trainers = flags.trainers === 'pipe' ? openTrainingPipe(process) : undefined;
      const result = await runJob(
        {
          settings,
          ...(volume === undefined ? {} : { volume }),
          ...(jobs === undefined ? {} : { jobs }),
          ...(threads === undefined ? {} : { threads }),
          fresh,
          quorum: flags.quorum,
          tolerance: toleranceOf(flags),
          ...(trainers === undefined ? {} : { trainers }),
          version: packageVersion(),
        },
        context,
      ).finally(() => trainers?.close());
      reporter.close();
      const isJson = flags.json ?? trainers !== undefined;
      const print = (text: string) => (isJson ? reporter.info(text) : process.stdout.write(`${text}\n`));
      print(summary(result));
      if (isJson) process.stdout.write(`${jsonLine(result)}\n`);
      // Written so that an accuracy that is no number misses the threshold too.
      if (minAccuracy !== undefined && !(result.last.evaluation.accuracy >= minAccuracy)) {
        throw new ThresholdError(
          `The accuracy ${result.last.evaluation.accuracy} is below the required ${minAccuracy}.`,
        );
      }
      if (flags.serve) {
        const { serve } = await import('./serve.js');
        const { host, port } = flags;
        const portIsExplicit = command.getOptionValueSource('port') === 'cli';
        const onReady = (address: string) => print(`page    ${address}  (Ctrl-C stops it)`);
        const model = `${result.volume}/aggregated-model.h5`;
        await serve({ model, host, port, portIsExplicit, engine: choiceOf(flags) }, { ...context, onReady });
      }
    });
}

function trainersOption(): Option {
  return new Option(
    '--trainers <who>',
    'who trains: processes here, or with pipe whoever reads tasks from stdout and answers on stdin (docs/ENGINES.md)',
  )
    .choices(TRAINERS)
    .default('processes');
}

/** @throws {UsageError} when options contradict each other */
async function settingsOf(flags: RunFlags): Promise<RunSettings> {
  if (flags.simulate && flags.roundDeadline !== undefined) {
    throw new UsageError(
      `--round-deadline ${flags.roundDeadline} does not go with --simulate, whose clients are never late.`,
    );
  }
  if (flags.trainers === 'pipe') refuseWithPipe(flags);
  const { data, seed, model } = flags;
  const partition = partitionOf(flags);
  const clients = await numberOfClients({ data, partition, asked: flags.clients });
  const federation = federationOf({ ...flags, clients });
  const strategy = strategyOf(flags);
  checkClients(strategy, { selected: selectedCount(federation), clients });
  return {
    seed,
    dataset: { name: DATASET_NAMES.includes(data) ? data : resolve(data) },
    model: { name: model },
    engine: choiceOf(flags),
    training: trainingSettings(flags),
    federation: { ...federation, partition, ...(flags.simulate ? { simulate: true } : {}) },
    // What is not asked for is left out, so that a run keeps its id when a new option appears.
    ...(strategyArguments(strategy).length === 0 ? {} : { strategy }),
  };
}

/** Nobody can stop a training that runs elsewhere: what is late would still write its update. */
function refuseWithPipe({ simulate, roundDeadline }: RunFlags): void {
  const other = simulate ? '--simulate' : roundDeadline === undefined ? undefined : '--round-deadline';
  if (other === undefined) return;
  throw new UsageError(`${other} does not go with --trainers pipe, where somebody else runs the trainers.`);
}

/** What is not asked for is left out here too. */
function trainingSettings(flags: RunFlags): RunSettings['training'] {
  const { batch, optimizer, momentum, proximal } = flags;
  const { base, decay, warmUpRounds, scaleWithClients } = scheduleOf(flags);
  return {
    ...localWorkOf(flags.epochs, flags, EPOCHS),
    batch,
    optimizer,
    learningRate: base,
    ...(decay === 1 ? {} : { learningRateDecay: decay }),
    ...(warmUpRounds === 0 ? {} : { warmUpRounds }),
    ...(scaleWithClients ? { scaleLearningRate: true } : {}),
    momentum,
    ...(proximal === 0 ? {} : { proximal }),
  };
}

if (isMain(import.meta.url)) await runProgram(runCommand, process.argv.slice(2));
