/** `fedbatch serve`: the web page and API of a trained model. */
import { Command, Option } from 'commander';
import { integerOption, MAX_THREADS, numberOption, scaleOption } from '../lib/cli/options.js';
import { isMain, type ProgramContext, runProgram } from '../lib/cli/program.js';
import { namedScale, USUAL_SCALE } from '../lib/federation/pixel-scale.js';
import { LATEST, volumePaths } from '../lib/formats/volume.js';
import { addSettings, askedByFlags, type CommandSettings } from '../lib/settings/options.js';
import { ENGINE, engineAsked } from '../lib/settings/parts/engine.js';
import { type BatchingLimits, DEFAULT_BATCHING_LIMITS, defaultWorkers } from './models/batching.js';
import type { ServeOptions } from './server.js';

type ServeFlags = Omit<ServeOptions, 'engine' | 'batching' | 'scale'> & {
  readonly scale?: string;
  readonly maxBatch: number;
  readonly batchTimeout: number;
  readonly maxWaiting: number;
};

const SETTINGS: CommandSettings = { parts: [ENGINE], stage: 'serve', hasTitles: false };

const port = integerOption({ max: 65_535 });

/** The command. */
export function serveCli(context: ProgramContext): Command {
  const command = new Command('serve')
    .description('Serve a trained model: a web page to try it, and an API for programs.')
    .requiredOption(
      '--model <h5>',
      `the Keras model file to serve, or the run whose last one it is, e.g. ${LATEST}`,
    )
    .option('--host <address>', 'the address to listen on; 0.0.0.0 for all of this machine', '127.0.0.1')
    .option('--port <number>', 'the port to listen on; 0 picks a free one', port, 5000)
    .option('--grpc-port <number>', 'the port of the gRPC API of TensorFlow Serving; off by default', port)
    .option('--name <name>', "what the API calls the model (default: the file's name without .h5)")
    .option('--labels <txt>', 'the name of each class, one a line (default: labels.txt beside the model)')
    .addOption(
      scaleOption(
        `numbers that are black and white in the model's input, e.g. -1..1 (default: what its file says, else ${USUAL_SCALE})`,
      ),
    )
    .option('--runs <folder>', 'a folder of runs, shown at /runs as they go; none by default')
    .option('--samples <dir>', 'sample pictures (PNG) for the page; those of fedbatch by default');
  for (const option of [...modelOptions(), ...speedOptions(), ...securityOptions()])
    command.addOption(option);
  return addSettings(command, SETTINGS)
    .addHelpText(
      'after',
      `
Example:
  npx fedbatch serve --model aggregated-model.h5 --port 8080
  curl -H 'Accept: application/json' -F file=@samples/digit-7-a.png http://127.0.0.1:8080/upload

docs/SERVING.md describes the API, and what a server on a network needs.`,
    )
    .action(async ({ maxBatch, batchTimeout, maxWaiting, scale, ...options }: ServeFlags) => {
      const batching: BatchingLimits = {
        maxBatch,
        batchTimeoutMs: batchTimeout,
        maxWaitingImages: maxWaiting,
      };
      const engine = engineAsked(askedByFlags(command, SETTINGS));
      const { serve } = await import('./server.js');
      const model = await meantModel(options, context);
      return serve({ ...options, model, ...namedScale(scale), batching, engine }, context);
    });
}

/** What is a path is one, there or not; a volume, or a word that is no path, means the last global model of a run. */
async function meantModel(
  { model, waitForModel = false }: Pick<ServeFlags, 'model' | 'waitForModel'>,
  { reporter }: Pick<ProgramContext, 'reporter'>,
): Promise<string> {
  const { exists } = await import('../lib/formats/files/read-file.js');
  const isVolume = await exists(volumePaths(model).run);
  if (!isVolume && (waitForModel || /[/\\.]/.test(model))) return model;
  const { findModel } = await import('../lib/formats/runs/find-run.js');
  return await findModel(model, { warn: (message) => reporter.warn(message) });
}

function modelOptions(): readonly Option[] {
  return [
    new Option('--wait-for-model', 'start before the model file is there; not ready until it is'),
    new Option('--reload-interval <s>', 'look for a new model file this often; 0 never')
      .argParser(numberOption({ min: 0 }))
      .default(5),
    new Option('--keep-versions <n>', 'earlier versions that stay loaded, for a rollback')
      .argParser(integerOption({ max: 100 }))
      .default(1),
  ];
}

function speedOptions(): readonly Option[] {
  return [
    new Option('--workers <n>', 'threads that predict; each holds the model in memory')
      .argParser(integerOption({ min: 1, max: MAX_THREADS }))
      .default(defaultWorkers(), 'one less than the cores, at most 4'),
    new Option('--max-batch <n>', 'most images that are predicted at once')
      .argParser(integerOption({ min: 1, max: 4_096 }))
      .default(DEFAULT_BATCHING_LIMITS.maxBatch),
    new Option('--batch-timeout <ms>', 'how long a free worker waits for a batch to fill')
      .argParser(numberOption({ min: 0, max: 10_000 }))
      .default(DEFAULT_BATCHING_LIMITS.batchTimeoutMs),
    new Option('--max-waiting <n>', 'images that may wait for a worker; more are answered 503')
      .argParser(integerOption({ min: 1 }))
      .default(DEFAULT_BATCHING_LIMITS.maxWaitingImages),
  ];
}

function securityOptions(): readonly Option[] {
  return [
    new Option('--token-file <file>', 'a bearer token that every request must bring').env(
      'FEDBATCH_TOKEN_FILE',
    ),
    new Option('--users-file <file>', 'user:password lines, for basic authentication').env(
      'FEDBATCH_USERS_FILE',
    ),
    new Option('--admin-token-file <file>', 'a bearer token for POST /admin/rollback').env(
      'FEDBATCH_ADMIN_TOKEN_FILE',
    ),
    new Option('--tls-cert <pem>', 'certificate, for HTTPS and gRPC by TLS').env('FEDBATCH_TLS_CERT'),
    new Option('--tls-key <pem>', 'its private key').env('FEDBATCH_TLS_KEY'),
    new Option('--rate-limit <n>', 'requests of one client in a minute; more are answered 429').argParser(
      integerOption({ min: 1 }),
    ),
    new Option('--trust-proxy <n>', 'proxies in front whose X-Forwarded-For is believed')
      .argParser(integerOption({ max: 10 }))
      .default(0),
    new Option(
      '--allow-host <names...>',
      'names beside localhost that a server of this machine alone is asked by',
    ),
    new Option('--log-requests', 'report each request'),
  ];
}

if (isMain(import.meta.url)) await runProgram(serveCli, process.argv.slice(2));
