/** Micro-batching: what several requests ask at the same time is predicted at once, as soon as a worker is free. */

import { HttpProblem, OverloadedError, PredictorUnavailableError } from '../../lib/http/problems.js';
import { harmless, type Reporter, silentReporter } from '../../lib/observability/events.js';
import { availableCores } from '../../lib/system/hardware.js';
import { type Predictor, rowSizeOf } from './predictor.js';

/** More workers than this take memory and seldom help: requests are read by one thread. */
const MOST_WORKERS = 4;

/** Workers where nobody says how many: a core is left to the thread that speaks HTTP. */
export function defaultWorkers(): number {
  return Math.max(1, Math.min(MOST_WORKERS, availableCores() - 1));
}

/** How requests are put together. */
export interface BatchingLimits {
  /** Most images that are predicted at once. */
  readonly maxBatch: number;
  /** How long a free worker waits for a batch to fill, in milliseconds; 0 takes what is there. */
  readonly batchTimeoutMs: number;
  /** Images that may wait; more are refused. */
  readonly maxWaitingImages: number;
}

export const DEFAULT_BATCHING_LIMITS: BatchingLimits = {
  maxBatch: 32,
  batchTimeoutMs: 0,
  maxWaitingImages: 4_096,
};

/** Settings of a batching predictor. */
export interface BatchingOptions extends Partial<BatchingLimits> {
  /** They share the work; each holds the same model. */
  readonly workers: readonly Predictor[];
  /** Told of failures of `onBatch`. */
  readonly reporter?: Reporter;
  /** Told the answers of each batch once they are given. */
  readonly onBatch?: (batch: AnsweredBatch) => void;
}

/** A batch that has been answered. */
export interface AnsweredBatch {
  readonly images: number;
  /** `[images, classes]` */
  readonly probabilities: Float32Array;
}

/** A predictor that knows how many images wait for it. */
export interface BatchingPredictor extends Predictor {
  readonly waitingImages: () => number;
}

/** Batches that a worker is given ahead: while it computes one, the next is on its way. */
const BATCHES_AHEAD = 2;

interface Waiting {
  readonly images: Float32Array;
  readonly count: number;
  readonly resolve: (probabilities: Float32Array) => void;
  readonly reject: (error: unknown) => void;
  /** Predicted without company: a batch that it was in has failed. */
  readonly isAlone?: boolean;
}

/** Puts batching in front of workers. Closing answers first what waits, then closes the workers. */
export function createBatchingPredictor({
  workers,
  onBatch: observe = () => undefined,
  reporter = silentReporter,
  maxBatch = DEFAULT_BATCHING_LIMITS.maxBatch,
  batchTimeoutMs = DEFAULT_BATCHING_LIMITS.batchTimeoutMs,
  maxWaitingImages = DEFAULT_BATCHING_LIMITS.maxWaitingImages,
}: BatchingOptions): BatchingPredictor {
  const onBatch = harmless(reporter, observe);
  const running = new Map<Predictor, number>(workers.map((worker) => [worker, 0]));
  let queue: Waiting[] = [];
  let waitingImages = 0;
  let timer: NodeJS.Timeout | undefined;
  let isScheduled = false;
  let onIdle: (() => void) | undefined;

  const card = () => workers.map((worker) => worker.card()).find((each) => each !== undefined);

  function enqueue(images: Float32Array, count: number): Promise<Float32Array> {
    return new Promise((resolve, reject) => {
      queue.push({ images, count, resolve, reject });
      waitingImages += count;
      schedule();
    });
  }

  /** In parts, of which only a few wait at a time: who asks for thousands at once does not make all others wait for them. */
  async function inParts(images: Float32Array, count: number): Promise<Float32Array> {
    const size = images.length / count;
    const answers: Float32Array[] = [];
    // All of them wait, also those that are not in the queue yet.
    waitingImages += count;
    let next = 0;
    const giveUp = (error: unknown): never => {
      waitingImages -= Math.max(0, count - next * maxBatch);
      next = count;
      settleIdle();
      throw error;
    };
    const ask = async (): Promise<void> => {
      while (next * maxBatch < count) {
        const part = next++;
        const rows = Math.min(maxBatch, count - part * maxBatch);
        const from = part * maxBatch * size;
        waitingImages -= rows;
        answers[part] = await enqueue(images.slice(from, from + rows * size), rows).catch(giveUp);
      }
    };
    await Promise.all(Array.from({ length: workers.length * BATCHES_AHEAD }, ask));
    return concatenate(answers);
  }

  /** The worker with the least to do that can take another batch. */
  function freeWorker(): Predictor | undefined {
    let best: Predictor | undefined;
    let least = BATCHES_AHEAD;
    for (const [worker, batches] of running) {
      if (batches < least && worker.card() !== undefined) [best, least] = [worker, batches];
    }
    return best;
  }

  /** Requests of the same turn of the event loop are looked at together. */
  function schedule(): void {
    if (isScheduled) return;
    isScheduled = true;
    setImmediate(() => {
      isScheduled = false;
      if (batchTimeoutMs === 0 || waitingImages >= maxBatch) return dispatch();
      timer ??= setTimeout(dispatch, batchTimeoutMs);
    });
  }

  function dispatch(): void {
    clearTimeout(timer);
    timer = undefined;
    for (let worker = freeWorker(); queue.length > 0 && worker !== undefined; worker = freeWorker()) {
      void run(worker, takeBatch());
    }
    if (queue.length > 0 && card() === undefined) {
      const gone = queue;
      queue = [];
      waitingImages -= gone.reduce((sum, { count }) => sum + count, 0);
      for (const { reject } of gone)
        reject(new PredictorUnavailableError('The model is not there at the moment.'));
    }
    settleIdle();
  }

  /** The requests at the head of the queue that fit into a batch. */
  function takeBatch(): readonly Waiting[] {
    let images = 0;
    let end = 0;
    for (const { count, isAlone = false } of queue) {
      if (end > 0 && (isAlone || images + count > maxBatch)) break;
      images += count;
      end++;
      if (isAlone) break;
    }
    waitingImages -= images;
    return queue.splice(0, end);
  }

  /** Each request of a failed batch gets another try without the others: one of them may be the reason. */
  function separate(batch: readonly Waiting[]): void {
    queue.unshift(...batch.map((each) => ({ ...each, isAlone: true })));
    waitingImages += batch.reduce((sum, { count }) => sum + count, 0);
  }

  async function run(worker: Predictor, batch: readonly Waiting[]): Promise<void> {
    const count = batch.reduce((sum, each) => sum + each.count, 0);
    running.set(worker, (running.get(worker) ?? 0) + 1);
    try {
      const answers = await worker.predict(joined(batch), count);
      const classes = answers.length / count;
      let at = 0;
      for (const { count: rows, resolve } of batch) {
        resolve(batch.length === 1 ? answers : answers.slice(at, at + rows * classes));
        at += rows * classes;
      }
      onBatch({ images: count, probabilities: answers });
    } catch (error) {
      if (batch.length > 1) separate(batch);
      else for (const { reject } of batch) reject(error);
    } finally {
      running.set(worker, (running.get(worker) ?? 1) - 1);
      if (queue.length > 0) schedule();
      settleIdle();
    }
  }

  function settleIdle(): void {
    if (waitingImages > 0 || [...running.values()].some((batches) => batches > 0)) return;
    onIdle?.();
  }

  return {
    card,
    waitingImages: () => waitingImages,
    async predict(images, count) {
      const facts = card();
      if (facts === undefined) throw new PredictorUnavailableError('The model is not there at the moment.');
      if (images.length !== count * rowSizeOf(facts))
        throw new RangeError(`${images.length} values are not ${count} examples of ${rowSizeOf(facts)}`);
      if (waitingImages > 0 && waitingImages + count > maxWaitingImages)
        throw new OverloadedError('Too many predictions at the moment; try again in a second.');
      const answers = await (count <= maxBatch ? enqueue(images, count) : inParts(images, count));
      return requireFinite(answers, count);
    },
    async close() {
      const idle = new Promise<void>((resolve) => {
        onIdle = resolve;
      });
      settleIdle();
      await idle;
      await Promise.all(workers.map((worker) => worker.close()));
    },
  };
}

/** The weights passed their self-test: what overflows are numbers far from those of the training. @throws {HttpProblem} 400 */
function requireFinite(probabilities: Float32Array, count: number): Float32Array {
  const at = probabilities.findIndex((value) => !Number.isFinite(value));
  if (at < 0) return probabilities;
  const image = Math.floor((at * count) / probabilities.length);
  throw new HttpProblem(
    400,
    `Expected numbers on the scale of the training data, found some in example ${image} for which the model answers NaN or infinity.`,
  );
}

/** The images of a batch in one array of their own: it is handed over to the worker. */
function joined(batch: readonly Waiting[]): Float32Array {
  const [only] = batch;
  return batch.length === 1 && only !== undefined
    ? only.images
    : concatenate(batch.map(({ images }) => images));
}

function concatenate(parts: readonly Float32Array[]): Float32Array {
  const whole = new Float32Array(parts.reduce((size, part) => size + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
