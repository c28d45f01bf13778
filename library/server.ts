/**
 * The web application as a value: open a predictor, make the application around it, listen or mount it.
 *
 * ```ts
 * import { createApp, listen, openPredictor } from 'fedbatch/server';
 *
 * const predictor = await openPredictor('runs/first/aggregated-model.h5');
 * const server = await listen(createApp({ predictor }), { host: '127.0.0.1', port: 8080 });
 * console.log(server.url);
 * // …
 * await server.close();
 * await predictor.close();
 * ```
 *
 * @module
 */
import type { RequestListener } from 'node:http';
import type { PixelScale } from '../lib/federation/pixel-scale.js';
import { listenAt, type RunningServer } from '../lib/http/listen.js';
import type { Reporter } from '../lib/observability/events.js';
import type { EngineChoice } from '../lib/settings/parts/engine.js';
import { createWebApp } from '../server/app.js';
import type { BatchingLimits } from '../server/models/batching.js';
import { openModel } from '../server/models/open-model.js';
import type { Predictor } from '../server/models/predictor.js';
import { call, reporterOf } from './call.js';

export { ExitCode, FedbatchError, UsageError } from '../lib/core/errors.js';
export type { TaskName } from '../lib/federation/metrics.js';
export type { PixelScale } from '../lib/federation/pixel-scale.js';
export type { Confusion } from '../lib/formats/confusions.js';
export type { RunningServer } from '../lib/http/listen.js';
export { OverloadedError, PredictorUnavailableError } from '../lib/http/problems.js';
export type {
  Fields,
  ProgressEvent,
  ProgressSource,
  Reporter,
  RoundEvent,
} from '../lib/observability/events.js';
export type { BackendName, EngineChoice, EngineName } from '../lib/settings/parts/engine.js';
export type { BatchingLimits } from '../server/models/batching.js';
export type {
  ModelAccuracy,
  ModelCard,
  ModelSignature,
  ModelTest,
  ModelTraining,
} from '../server/models/model-card.js';
export type { Predictor } from '../server/models/predictor.js';
export type {
  ServedColumn,
  ServedInput,
  ServedOutput,
  ServedTarget,
} from '../server/models/served-facts.js';

/** How to open a model. */
export interface PredictorOptions {
  /** `auto` by default: the best processor engine that works here. */
  readonly engine?: EngineChoice;
  /** A file with the name of each class; by default `labels.txt` beside the model, where there is one. */
  readonly labels?: string;
  /** Which numbers are black and white in the model's input; by default what its file says, else 0 and 1. */
  readonly scale?: PixelScale;
  /** Threads that predict, each with the model in memory; by default one less than the cores, at most 4. */
  readonly workers?: number;
  readonly batching?: Partial<BatchingLimits>;
  /** Is told when a worker dies and is replaced; nobody is by default. */
  readonly reporter?: Partial<Reporter>;
  /** Gives up opening; what is open already is closed. */
  readonly signal?: AbortSignal;
}

/**
 * Opens a Keras model file: worker threads load it, test it, and answer until it is closed.
 *
 * @throws {FedbatchError} when the file is missing, damaged, or no image classifier
 */
export function openPredictor(path: string, options: PredictorOptions = {}): Promise<Predictor> {
  const { labels, reporter, signal, ...others } = options;
  return call({ signal, reporter }, async (context) => {
    const predictor = await openModel({
      ...others,
      modelPath: path,
      // One prediction takes a fraction of a millisecond: a second thread would not pay for its hand-over.
      threads: 1,
      reporter: context.reporter,
      ...(labels === undefined ? {} : { labelsPath: labels }),
    });
    if (!context.signal.aborted) return predictor;
    await predictor.close();
    throw context.signal.reason;
  });
}

/** What the application is made of. */
export interface AppSettings {
  /** What answers the page, uploads and the API. */
  readonly predictor: Predictor;
  /** Proxies in front whose `X-Forwarded-For` is believed; 0 by default. */
  readonly trustedProxies?: number;
  /** Whether clients come by TLS: the page then insists on it. */
  readonly isTls?: boolean;
  /** Whether each request is reported. */
  readonly logsRequests?: boolean;
  readonly reporter?: Partial<Reporter>;
}

/** Makes the application: the page, uploads, and the APIs of docs/SERVING.md. It is what Node's `createServer` takes. */
export function createApp({ reporter, ...options }: AppSettings): RequestListener {
  return createWebApp({ ...options, reporter: reporterOf(reporter) });
}

/** Where to listen. */
export interface ListenAddress {
  /** Address or name of an interface of this machine; `127.0.0.1` by default. */
  readonly host?: string;
  /** TCP port; 0, which is the default, picks a free one. */
  readonly port?: number;
}

/**
 * Listens with timeouts for slow clients; closing lets running requests finish.
 *
 * @throws {UsageError} when the port is taken or the address is not this machine's
 */
export function listen(
  app: RequestListener,
  { host = '127.0.0.1', port = 0 }: ListenAddress = {},
): Promise<RunningServer> {
  return call({}, () => listenAt(app, { host, port }));
}
