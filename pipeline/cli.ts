/** `fedbatch run`: the whole job with one command. */
import { resolve } from 'node:path';
import { Command, Option } from 'commander';
import { integerOption, MAX_THREADS, numberOption } from '../lib/cli/options.js';
import { isMain, type ProgramContext, runProgram } from '../lib/cli/program.js';
import { packageVersion } from '../lib/cli/version.js';
import { UsageError } from '../lib/core/errors.js';
import { type AskedSettings, completeSettings } from '../lib/settings/complete.js';
import { askedByFlagsAndFile } from '../lib/settings/config-file.js';
import { addSettings, MOST_USED } from '../lib/settings/options.js';
import { DATASET_NAMES } from '../lib/settings/parts/data.js';
import { PARTITION } from '../lib/settings/parts/partition.js';
import { runSettings, toleranceAsked } from '../lib/settings/run-settings.js';
import { ALL_PARTS, type RunSettings } from '../lib/settings/table.js';
import { numberOfClients } from './number-of-clients.js';
import { openTrainingPipe } from './piped/training-pipe.js';
import { missedAccuracy } from './rounds/run-failure.js';

/** Who trains the clients: processes of this machine, or an external trainer that reads tasks from stdout and answers on stdin. */
const TRAINERS = ['processes', 'pipe'] as const;
type Trainers = (typeof TRAINERS)[number];

interface RunFlags {
  readonly trainers: Trainers;
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

const SETTINGS = { parts: ALL_PARTS } as const;

const EXAMPLES = `
Examples:
  npx fedbatch run --serve                                    generated digits, 3 clients, then the web page
  npx fedbatch run --data mnist.npz --clients 10 --rounds 5   your own data, federated averaging over 5 rounds
  npx fedbatch run --clients 100 --fraction 0.1 --quorum 80% --rounds 50 --target-accuracy 0.97
                                                          10 clients a round, 8 of which have to report
  npx fedbatch run --json --min-accuracy 0.97                 for scripts: one JSON line, exit code 4 below 97 %

A second run with the same options goes on where the first one stopped, and skips what is done.`;

/** The command of the pipeline. */
export function runCli({ reporter, signal }: ProgramContext): Command {
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
      'trainers side by side, with --simulate workers (default: as many as the cores have room for)',
      integerOption({ min: 1 }),
    )
    .option(
      '--threads <count>',
      'threads of each trainer (default: so that all clients are done soonest; with --simulate 1)',
      integerOption({ min: 1, max: MAX_THREADS }),
    )
    .optionsGroup('Volume and result:')
    .option('--volume <dir>', "directory of the run's files (default: runs/<run id>)")
    .option('--fresh', 'start over: remove the files of the run that lies in the volume')
    .option(
      '--min-accuracy <share>',
      'end with exit code 4 below this accuracy',
      numberOption({ min: 0, max: 1 }),
    )
    .option('--json', 'print one JSON line on stdout at the end, everything else on stderr')
    .option('--host <address>', 'address that the page of --serve listens on', '127.0.0.1')
    .option('--port <number>', 'port of the page', integerOption({ min: 0, max: 65535 }), 5000)
    .addHelpText('after', EXAMPLES)
    .action(async (flags: RunFlags) => {
      const context = { reporter, signal };
      const { runJob } = await import('./run.js');
      const { jsonLine, summary } = await import('./rounds/summary.js');
      const { volume, jobs, threads, fresh = false, minAccuracy } = flags;
      const asked = await askedByFlagsAndFile(command, SETTINGS);
      const settings = await localSettings(flags, asked);
      const trainers = flags.trainers === 'pipe' ? openTrainingPipe(process) : undefined;
      const result = await runJob(
        {
          settings,
          ...(volume === undefined ? {} : { volume }),
          ...(jobs === undefined ? {} : { jobs }),
          ...(threads === undefined ? {} : { threads }),
          fresh,
          ...toleranceAsked(asked),
          named: asked.named,
          minAccuracy,
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
      const missed = missedAccuracy(result.last.evaluation, minAccuracy);
      if (missed !== undefined) throw missed;
      if (flags.serve) {
        const { startServer } = await import('./serve.js');
        const { host, port } = flags;
        const portIsExplicit = command.getOptionValueSource('port') === 'cli';
        const onReady = (address: string) => print(`page    ${address}  (Ctrl-C stops it)`);
        const model = `${result.volume}/aggregated-model.h5`;
        await startServer(
          { model, host, port, portIsExplicit, engine: settings.engine },
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

/** @throws {UsageError} when options contradict each other */
async function localSettings({ trainers }: RunFlags, asked: AskedSettings): Promise<RunSettings> {
  const { given, named } = asked;
  const { partition } = completeSettings([PARTITION], asked).federation;
  const isSimulated = given['federation.simulate'] === true;
  const deadline = given['tolerance.roundDeadline'];
  if (trainers === 'pipe' && (isSimulated || deadline !== undefined)) {
    // Nobody can stop a training that runs elsewhere: what is late would still write its update.
    const other = isSimulated ? 'federation.simulate' : 'tolerance.roundDeadline';
    throw new UsageError(
      `${named(other)} does not go with --trainers pipe, where somebody else runs the trainers.`,
    );
  }
  if (isSimulated && deadline !== undefined) {
    throw new UsageError(
      `${named('tolerance.roundDeadline')} ${deadline} does not go with ${named('federation.simulate')}, whose clients ` +
        'are never late.',
    );
  }
  const data = `${given['dataset.name'] ?? 'digits'}`;
  const clients = given['federation.clients'] as number | undefined;
  const found = {
    'dataset.name': DATASET_NAMES.includes(data) ? data : resolve(data),
    'federation.clients': await numberOfClients({ data, partition, asked: clients, named }),
  };
  return runSettings({ given: { ...given, ...found }, named });
}

if (isMain(import.meta.url)) await runProgram(runCli, process.argv.slice(2));
