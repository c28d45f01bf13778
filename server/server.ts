/** The server's main path: load the model, listen, answer until told to stop, finish what was begun. */

import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { basename, resolve } from 'node:path';
import type { ProgramContext } from '../lib/cli/program.js';
import { UsageError } from '../lib/core/errors.js';
import { formatShape } from '../lib/core/weights.js';
import { describeScale, type PixelScale } from '../lib/federation/pixel-scale.js';
import { readFileShared } from '../lib/formats/files/read-file.js';
import { KERAS_FILE } from '../lib/formats/keras/keras-file.js';
import { type AllowedHosts, readHosts } from '../lib/http/hosts.js';
import { listenAt } from '../lib/http/listen.js';
import type { EngineChoice } from '../lib/settings/parts/engine.js';
import { pauseSeldom } from '../lib/system/memory.js';
import { DEFAULT_BODY_LIMITS } from './api/exchange.js';
import { createWebApp } from './app.js';
import { createCodecs } from './codecs/codecs.js';
import { createRoom } from './held-bytes.js';
import type { BatchingLimits } from './models/batching.js';
import type { ModelCard } from './models/model-card.js';
import { type OpenedModel, openModel } from './models/open-model.js';
import { inputsOf } from './models/predictor.js';
import { createModelStore, type ModelStore } from './models/served-models.js';
import { tryModel } from './models/try-model.js';
import { watchModel } from './models/watch-model.js';
import { type Access, type AccessFiles, readAccess } from './operations/access.js';
import { createRateLimit } from './operations/guard.js';
import { createMetrics, type Metrics } from './operations/metrics.js';
import { pictureDecoder } from './pictures/decode-apart.js';
import { PACKAGED_SAMPLES, readSamples } from './pictures/samples.js';
import { readTls, type TlsFlags } from './tls.js';

/** Settings of `fedbatch serve`. */
export interface ServeOptions extends AccessFiles, TlsFlags {
  /** The Keras model file. */
  readonly model: string;
  /** What the API calls the model; the file's name without `.h5` by default. */
  readonly name?: string;
  /** Which numbers are black and white in the model's input; by default what the file says, else 0 and 1. */
  readonly scale?: PixelScale;
  /** A file with the name of each class. */
  readonly labels?: string;
  readonly host: string;
  /** TCP port; 0 picks a free one. */
  readonly port: number;
  /** TCP port of the gRPC API, which is off without one. */
  readonly grpcPort?: number;
  readonly engine: EngineChoice;
  /** Directory of sample pictures; those of the package by default. */
  readonly samples?: string;
  /** Worker threads with the model. */
  readonly workers: number;
  readonly batching: BatchingLimits;
  /** Seconds between two looks at the model file; 0 never looks again. */
  readonly reloadInterval: number;
  /** Earlier versions that stay loaded. */
  readonly keepVersions: number;
  /** Start before the model is there. */
  readonly waitForModel?: boolean;
  /** Requests of one client in a minute; unlimited without. */
  readonly rateLimit?: number;
  /** Proxies whose `X-Forwarded-For` is believed. */
  readonly trustProxy: number;
  readonly logRequests?: boolean;
  /** Names of this machine that others gave it, where the server is for this machine alone. */
  readonly allowHost?: readonly string[];
  /** A folder of runs whose pages are served too. */
  readonly runs?: string;
}

/** One prediction takes a fraction of a millisecond; a second thread would not pay for its hand-over. */
const PREDICTION_THREADS = 1;
/** How often a server that waits for its first model looks, where it is not told to reload. */
const WAIT_SECONDS = 5;

/**
 * Serves a model until `signal` aborts; writes the address to stdout once it answers.
 *
 * @throws {ModelRefusedError} when the model is missing or cannot be served
 * @throws {UsageError} when the address or a port cannot be had
 */
export async function serve(options: ServeOptions, { reporter, signal }: ProgramContext): Promise<void> {
  if (options.port !== 0 && options.port === options.grpcPort)
    throw new UsageError(
      `--port and --grpc-port are both ${options.port}; choose another for one of them (0 picks a free one).`,
    );
  pauseSeldom();
  const samples = await gallery(options.samples);
  const access = await readAccess(options);
  const tls = await readTls(options);
  const hosts = hostsOf(options, access);
  const metrics = createMetrics();
  let isRunning = false;
  const watched = { reporter, metrics, isRunning: () => isRunning };
  const { store, waitingImages, announce } = createStore(options, watched);
  metrics.watch(store, waitingImages);
  const rateLimit = options.rateLimit === undefined ? undefined : createRateLimit(options.rateLimit);
  const secured = tls === undefined ? {} : { tls };
  const runs = options.runs === undefined ? undefined : await runPages(options.runs);
  /** What has to end with the server, also where something else did not start. */
  const begun: { close(): Promise<void> }[] = [];
  try {
    if (options.waitForModel !== true) await store.offer(await readFileShared(options.model, KERAS_FILE));
    const front = {
      models: store,
      codecs: createCodecs(),
      bodyRoom: createRoom(DEFAULT_BODY_LIMITS.maxHeldBytes),
      access,
      metrics,
      trustedProxies: options.trustProxy,
      logsRequests: options.logRequests ?? false,
      reporter,
      ...(rateLimit === undefined ? {} : { rateLimit }),
    };
    const app = createWebApp({
      ...front,
      predictor: store,
      rollback: () => store.rollback(),
      samples,
      isTls: tls !== undefined,
      ...(hosts === undefined ? {} : { hosts }),
      ...(runs === undefined ? {} : { runs }),
    });
    const server = await listenAt(app, { ...options, ...secured });
    begun.push(server);
    isRunning = true;
    // The first picture need not wait for a process to start.
    const card = store.card();
    if (card !== undefined && inputsOf(card).some(({ isPicture }) => isPicture)) pictureDecoder.start();
    if (runs !== undefined) begun.push({ close: async () => runs.close() });
    const { host, grpcPort } = options;
    const grpc =
      grpcPort === undefined
        ? undefined
        : await (await import('./grpc/grpc-server.js')).startGrpc(front, {
            host,
            port: grpcPort,
            ...secured,
          });
    if (grpc !== undefined) begun.push(grpc);
    const stopWatching = new AbortController();
    announce();
    const onTaken = announce;
    const watching = watch(store, { options, onTaken, reporter, signal: stopWatching.signal });
    begun.push({
      close() {
        stopWatching.abort();
        return watching;
      },
    });
    process.stdout.write(`Listening on ${server.url}\n`);
    if (grpc !== undefined) process.stdout.write(`Listening for gRPC on ${grpc.address}\n`);
    if (!signal.aborted) await once(signal, 'abort');
    reporter.info('Stopping: finishing the requests that have begun.');
  } finally {
    await Promise.all(begun.map((each) => each.close()));
    rateLimit?.close();
    await store.close();
  }
}

function createStore(
  { model, name, labels, scale, engine, workers, batching, keepVersions }: ServeOptions,
  {
    reporter,
    metrics,
    isRunning,
  }: {
    readonly reporter: ProgramContext['reporter'];
    readonly metrics: Metrics;
    /** Whether somebody may be asking already. */
    readonly isRunning: () => boolean;
  },
): { readonly store: ModelStore; readonly waitingImages: () => number; readonly announce: () => void } {
  const opened = new Set<OpenedModel>();
  const store = createModelStore({
    name: name ?? basename(model).replace(/\.(h5|hdf5|keras)$/, ''),
    keepVersions,
    async load(bytes, version) {
      const settings = {
        modelPath: model,
        bytes,
        engine,
        threads: PREDICTION_THREADS,
        ...(labels === undefined ? {} : { labelsPath: labels }),
        ...(scale === undefined ? {} : { scale }),
      };
      // At the start there is nothing that a model could end.
      if (isRunning()) await tryModel(settings);
      const predictor: OpenedModel = await openModel({
        ...settings,
        workers,
        batching: {
          ...batching,
          onBatch: (batch) => metrics.predicted(batch, { version, card: predictor.card() }),
        },
        reporter,
      });
      opened.add(predictor);
      return {
        ...predictor,
        close: () => {
          opened.delete(predictor);
          return predictor.close();
        },
      };
    },
  });
  const announce = () => {
    const version = store.current()?.version;
    const card = store.card();
    const { engine: used, sha256 } = card ?? {};
    const why = [...opened].at(-1)?.why;
    if (version === undefined) return reporter.info('There is no model yet.');
    const message = `Version ${version} of the model answers on ${used} (${why}), ${describeInput(card)}.`;
    reporter.info(message, { event: 'engine', engine: used, why, version, sha256 });
  };
  return {
    store,
    announce,
    waitingImages: () => [...opened].reduce((sum, each) => sum + each.waitingImages(), 0),
  };
}

function describeInput(card: ModelCard | undefined): string {
  if (card !== undefined && card.inputShape === undefined) {
    const inputs = inputsOf(card).map(({ name, shape }) => `${name} ${formatShape(shape)}`);
    return `${card.task ?? 'classification'} of ${inputs.join(', ')}`;
  }
  const { scale } = card ?? {};
  if (scale !== undefined) return `pixels ${describeScale(scale)}`;
  return 'pixels from 0 to 1, since its file names no other scale (else give --scale)';
}

interface WatchSettings {
  readonly options: ServeOptions;
  readonly onTaken: () => void;
  readonly reporter: ProgramContext['reporter'];
  readonly signal: AbortSignal;
}

async function watch(
  store: ModelStore,
  { options, onTaken, reporter, signal }: WatchSettings,
): Promise<void> {
  const { model: modelPath, reloadInterval, waitForModel = false } = options;
  if (reloadInterval === 0 && !waitForModel) return;
  const intervalMs = (reloadInterval === 0 ? WAIT_SECONDS : reloadInterval) * 1000;
  const until = reloadInterval === 0 ? () => store.current() !== undefined : () => false;
  await watchModel({ modelPath, store, intervalMs, until, onTaken, reporter, signal });
}

/** The pages of the runs below a folder. @throws {DataError} where there is no such folder */
async function runPages(folder: string) {
  const { openRunPages } = await import('../watch/routes.js');
  return openRunPages(resolve(folder));
}

/**
 * The names that lead here, where nobody but this machine is meant to ask: no proxy in front, and no secret that a foreign
 * page would not know.
 *
 * @throws {UsageError} where names are given to a server that answers to any
 */
function hostsOf(
  { host, trustProxy, allowHost = [] }: ServeOptions,
  access: Access,
): AllowedHosts | undefined {
  const hosts = readHosts(allowHost, '--allow-host');
  const isForThisMachine = access.isOpen && trustProxy === 0 && /^(localhost$|127\.|::1$)/.test(host);
  if (isForThisMachine) return hosts;
  if (allowHost.length === 0) return undefined;
  throw new UsageError(
    '--allow-host is for a server of this machine alone; on a network, behind --trust-proxy, or with credentials it may be asked by any name.',
  );
}

/** A package without its samples still serves; a directory that was asked for must be there. */
function gallery(directory: string | undefined) {
  if (directory === undefined && !existsSync(PACKAGED_SAMPLES)) return [];
  return readSamples(directory ?? PACKAGED_SAMPLES);
}
