/** A predictor whose model runs in a worker thread, so that prediction never holds up the event loop; restarts it when it dies. */
import { setTimeout as delay } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { type ExitCode, FedbatchError, messageOf } from '../../lib/core/errors.js';
import { prepareEngines } from '../../lib/engine/native-environment.js';
import { PredictorUnavailableError } from '../../lib/http/problems.js';
import { type Reporter, silentReporter } from '../../lib/observability/events.js';
import type { ModelCard } from './model-card.js';
import type { Predictor } from './predictor.js';
import type { WorkerReply, WorkerRequest, WorkerSettings } from './worker-protocol.js';

/** A model that the worker could not load: the sentence and exit code of the error that it met. */
export class ModelRefusedError extends FedbatchError {
  override readonly name = 'ModelRefusedError';
  readonly exitCode: ExitCode;

  constructor(message: string, exitCode: ExitCode) {
    super(message);
    this.exitCode = exitCode;
  }
}

/** Settings of a worker predictor. */
export interface WorkerPredictorOptions extends WorkerSettings {
  readonly reporter?: Reporter;
  /** The worker's module; the one that loads Keras models by default. */
  readonly workerUrl?: URL;
}

/** Between the death of a worker and its successor: doubled after each failure in a row up to the last. */
const FIRST_RESTART_DELAY_MS = 100;
const LAST_RESTART_DELAY_MS = 10_000;
/** How long a worker may take to end by itself. */
const STOP_GRACE_MS = 2_000;

/** A predictor that knows why it runs on its engine. */
interface WorkerPredictor extends Predictor {
  readonly why: string;
}

interface Pending {
  readonly resolve: (probabilities: Float32Array) => void;
  readonly reject: (error: Error) => void;
}

/** What a worker says of itself. */
interface WorkerFacts {
  readonly card: ModelCard;
  /** Why it runs on its engine. */
  readonly why: string;
}

/** One life of a worker. */
interface Life extends WorkerFacts {
  predict(images: Float32Array, count: number): Promise<Float32Array>;
  stop(): Promise<void>;
  /** Settles when the worker has ended, with why. */
  readonly ended: Promise<string>;
}

/**
 * Starts the worker and resolves once its model is loaded.
 *
 * @throws {ModelRefusedError} when the model file is missing or not a model that can be served
 */
export async function createWorkerPredictor(options: WorkerPredictorOptions): Promise<WorkerPredictor> {
  const { reporter = silentReporter } = options;
  // Nothing about models or visitors leaves this machine; a worker cannot say so for itself.
  prepareEngines(options);
  const closing = new AbortController();
  const first = await startWorker(options);
  let life: Life | undefined = first;
  void keepAlive(first);

  async function keepAlive(first: Life): Promise<void> {
    let current = first;
    while (true) {
      const reason = await current.ended;
      life = undefined;
      if (closing.signal.aborted) return;
      reporter.error(`The prediction worker ended: ${reason}. Starting it again.`);
      const next = await restart();
      if (next === undefined) return;
      if (closing.signal.aborted) return next.stop();
      life = current = next;
      reporter.info('The prediction worker is back.');
    }
  }

  async function restart(): Promise<Life | undefined> {
    for (let waitMs = FIRST_RESTART_DELAY_MS; ; waitMs = Math.min(waitMs * 2, LAST_RESTART_DELAY_MS)) {
      await delay(waitMs, undefined, { signal: closing.signal }).catch(() => undefined);
      if (closing.signal.aborted) return undefined;
      try {
        return await startWorker(options);
      } catch (error) {
        reporter.error(messageOf(error));
      }
    }
  }

  return {
    why: first.why,
    card: () => life?.card,
    async predict(images, count) {
      if (life === undefined) throw new PredictorUnavailableError('The model is not there at the moment.');
      return life.predict(images, count);
    },
    async close() {
      closing.abort();
      await life?.stop();
    },
  };
}

function startWorker({
  reporter: _reporter,
  workerUrl = new URL('./predict-worker.js', import.meta.url),
  ...settings
}: WorkerPredictorOptions): Promise<Life> {
  const worker = new Worker(workerUrl, { workerData: settings satisfies WorkerSettings });
  const pending = new Map<number, Pending>();
  let nextId = 0;
  let reason = 'it stopped without a reason';
  const ended = new Promise<string>((resolve) => {
    worker.on('error', (error: unknown) => {
      reason = messageOf(error);
    });
    worker.once('exit', () => {
      for (const { reject } of pending.values()) {
        reject(new PredictorUnavailableError('The worker of the model ended before it answered; try again.'));
      }
      pending.clear();
      resolve(reason);
    });
  });

  const life = ({ card, why }: WorkerFacts): Life => ({
    card,
    why,
    ended,
    predict: (images, count) =>
      new Promise((resolve, reject) => {
        const id = nextId++;
        pending.set(id, { resolve, reject });
        const request: WorkerRequest = { kind: 'predict', id, images, count };
        worker.postMessage(request, [images.buffer as ArrayBuffer]);
      }),
    async stop() {
      worker.postMessage({ kind: 'stop' } satisfies WorkerRequest);
      const late = new AbortController();
      await Promise.race([ended, delay(STOP_GRACE_MS, undefined, { signal: late.signal, ref: false })]);
      late.abort();
      await worker.terminate();
    },
  });

  return new Promise((resolve, reject) => {
    worker.on('message', (reply: WorkerReply) => {
      switch (reply.kind) {
        case 'ready':
          resolve(life(reply));
          break;
        case 'refused':
          reject(new ModelRefusedError(reply.message, reply.exitCode));
          break;
        case 'answer':
          pending.get(reply.id)?.resolve(reply.probabilities);
          pending.delete(reply.id);
          break;
        case 'failure':
          pending.get(reply.id)?.reject(new Error(reply.message));
          pending.delete(reply.id);
          break;
      }
    });
    void ended.then((why) => reject(new Error(`The prediction worker ended: ${why}.`)));
  });
}
