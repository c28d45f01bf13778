/** `fedbatch run`: the whole job with one command. */

import { Command, Option } from 'commander';
import {
  integerOption,
  jsonOption,
  MAX_THREADS,
  minAccuracyOption,
  minMetricOption,
  nameOption,
  tagOption,
} from '../lib/cli/options.js';
import { isMain, type ProgramContext, runProgram } from '../lib/cli/program.js';
import { type OutcomeFlags, outcomeWriter } from '../lib/cli/result.js';
import { UsageError } from '../lib/core/errors.js';
import type { Threshold } from '../lib/federation/metrics.js';
import { MAX_SEEDS } from '../lib/formats/volume.js';
import { askedByFlagsAndFile } from '../lib/settings/config-file.js';
import { addSettings, MOST_USED } from '../lib/settings/options.js';
import { engineAsked } from '../lib/settings/parts/engine.js';
import { ALL_PARTS } from '../lib/settings/table.js';
import { callPipeline, type RunAsked } from './call.js';

/** Who trains the clients: processes of this machine, or an external trainer that reads tasks from stdout and answers on stdin. */
const TRAINERS = ['processes', 'pipe'] as const;
type Trainers = (typeof TRAINERS)[number];

interface RunFlags extends OutcomeFlags {
  readonly trainers: Trainers;
  readonly volume?: string;
  readonly jobs?: number;
  readonly threads?: number;
  readonly name?: string;
  readonly tag?: readonly string[];
  readonly minAccuracy?: number;
  readonly minMetric?: Threshold;
  readonly seeds?: number;
  readonly serve?: true;
  readonly host: string;
  readonly port: number;
  readonly fresh?: true;
}

const SETTINGS = { parts: ALL_PARTS } as const;

const EXAMPLES = `
Examples:
  npx fedbatch run --serve                                    generated digits, 3 clients, then the web page
  npx fedbatch run --data mnist.npz --clients 10 --rounds 5   your own data, federated averaging over 5 rounds
  npx fedbatch run --clients 100 --fraction 0.1 --quorum 80% --rounds 50 --target-accuracy 0.97
                                                          10 clients a round, 8 of which have to report
  npx fedbatch run --rounds 5 --seeds 5                       5 runs: mean and standard deviation of all results
  npx fedbatch run --json --min-accuracy 0.97                 for scripts: one JSON line, exit code 4 below 97 %

A second run with the same options resumes where the first one stopped.`;

/** The command of the pipeline; `elsewhere` says who does what processes of this machine would. */
export function runCli(
  { reporter, signal }: ProgramContext,
  elsewhere: Pick<RunAsked, 'stages' | 'openTrainers'> = {},
): Command {
  const command = new Command('run').description(
    'Run the whole job: split, train every client, aggregate, test and, with --serve, serve the model.',
  );
  return addSettings(command, SETTINGS)
    .addOption(
      new Option('--serve', 'serve the model on a web page afterwards, until Ctrl-C').helpGroup(MOST_USED),
    )
    .optionsGroup('Machine:')
    .addOption(trainersOption())
    .option(
      '--jobs <count>',
      'trainers side by side, with --simulate workers (default: as many as fit on the cores)',
      integerOption({ min: 1 }),
    )
    .option(
      '--threads <count>',
      'threads of each trainer (default: the number with which all clients finish soonest; 1 with --simulate)',
      integerOption({ min: 1, max: MAX_THREADS }),
    )
    .optionsGroup('Volume and result:')
    .option('--volume <dir>', "directory of the run's files (default: runs/<run id>)")
    .option('--fresh', 'start over: remove the files of the run in the volume')
    .addOption(nameOption())
    .addOption(tagOption('a word by which npx fedbatch runs finds it; may be given again'))
    .addOption(minAccuracyOption())
    .addOption(minMetricOption())
    .option(
      '--seeds <count>',
      'repeat the run with so many seeds, from --seed on: mean and standard deviation of all results',
      integerOption({ min: 2, max: MAX_SEEDS }),
    )
    .addOption(jsonOption())
    .option('--host <address>', 'address that the page of --serve listens on', '127.0.0.1')
    .option('--port <number>', 'port of the page', integerOption({ min: 0, max: 65535 }), 5000)
    .addHelpText('after', EXAMPLES)
    .action(async (flags: RunFlags) => {
      const context = { reporter, signal };
      const { volume, jobs, threads, fresh = false, minAccuracy, minMetric, name, tag: tags } = flags;
      const asked = await askedByFlagsAndFile(command, SETTINGS);
      const isPiped = flags.trainers === 'pipe';
      // Schemas take longer to load than the rest: help and refusals are quick.
      const openTrainers = async () => (await import('./piped/training-pipe.js')).openTrainingPipe(process);
      const writer = outcomeWriter(reporter, { ...flags, json: flags.json ?? isPiped });
      const request = {
        ...{ asked, volume, jobs, threads, fresh, minAccuracy, minMetric, labels: { name, tags } },
        ...(isPiped ? { openTrainers } : {}),
        ...elsewhere,
      };
      if (flags.seeds !== undefined) {
        refuseWithSeeds(flags);
        const { repeatRun } = await import('./seeds/repeat-run.js');
        const { missedByMean, repeatedSummary } = await import('./seeds/summary.js');
        const repeated = await repeatRun({ ...request, seeds: flags.seeds }, context);
        writer.tell({ text: () => repeatedSummary(repeated), result: repeated.record });
        const missed = missedByMean(repeated, { minAccuracy, minMetric });
        if (missed !== undefined) throw missed;
        return;
      }
      const result = await callPipeline(request, context);
      const { nextSteps, runOutcome } = await import('./rounds/summary.js');
      const { missedRequirement } = await import('./rounds/run-failure.js');
      writer.tell(runOutcome(result, nextSteps(result, { isServed: flags.serve === true })));
      const missed = missedRequirement(result.last.evaluation, { minAccuracy, minMetric });
      if (missed !== undefined) throw missed;
      if (flags.serve) {
        const { startServer } = await import('./serve.js');
        const { host, port } = flags;
        const portIsExplicit = command.getOptionValueSource('port') === 'cli';
        const onReady = (address: string) => writer.print(`page    ${address}  (Ctrl-C stops it)`);
        const model = `${result.volume}/aggregated-model.h5`;
        await startServer(
          { model, host, port, portIsExplicit, engine: engineAsked(asked) },
          { ...context, onReady },
        );
      }
    });
}

function trainersOption(): Option {
  return new Option(
    '--trainers <who>',
    'who trains: processes here, or with pipe an external trainer that reads stdout and answers on stdin (docs/TARGETS.md)',
  )
    .choices(TRAINERS)
    .default('processes');
}

/** What `--seeds` does not go with. @throws {UsageError} for options that are about one run alone */
function refuseWithSeeds({
  seeds,
  serve,
  trainers,
}: {
  readonly seeds?: number;
  readonly serve?: true;
  readonly trainers: string;
}): void {
  const many = `--seeds ${seeds}`;
  if (serve) {
    throw new UsageError(
      `--serve does not go with ${many}, which makes as many models: serve one of them afterwards with ` +
        'fedbatch serve --model <volume>/seeds/<seed>/aggregated-model.h5.',
    );
  }
  if (trainers !== 'processes') {
    throw new UsageError(
      `${many} does not go with --trainers ${trainers}: give each run its own --seed, and its own --volume.`,
    );
  }
}

if (isMain(import.meta.url)) await runProgram(runCli, process.argv.slice(2));
