/** From the content of a model file to a predictor: so many workers, each with the model, and batching in front. */
import {
  type BatchingOptions,
  type BatchingPredictor,
  createBatchingPredictor,
  defaultWorkers,
} from './batching.js';
import type { Predictor } from './predictor.js';
import { createWorkerPredictor, type WorkerPredictorOptions } from './worker-predictor.js';

/** What to open, and with what. */
interface OpenModelOptions extends WorkerPredictorOptions {
  /** Worker threads; each has the model in memory. */
  readonly workers?: number;
  readonly batching?: Omit<BatchingOptions, 'workers'>;
}

/** A model that answers, and why it runs on its engine. */
export interface OpenedModel extends BatchingPredictor {
  readonly why: string;
}

/**
 * Loads the model in every worker; each tests it.
 *
 * @throws {ModelRefusedError} when it cannot be served
 */
export async function openModel({
  workers: count = defaultWorkers(),
  batching,
  ...options
}: OpenModelOptions): Promise<OpenedModel> {
  // The first alone: where it refuses the model, the others need not try.
  const first = await createWorkerPredictor(options);
  const others = Array.from({ length: count - 1 }, () => createWorkerPredictor(options));
  const settled = await Promise.allSettled(others);
  const failed = settled.find((each) => each.status === 'rejected');
  const workers: readonly Predictor[] = [
    first,
    ...settled.flatMap((each) => ('value' in each ? [each.value] : [])),
  ];
  if (failed !== undefined) {
    await Promise.all(workers.map((worker) => worker.close()));
    throw failed.reason;
  }
  const { reporter } = options;
  const batched = createBatchingPredictor({
    ...batching,
    workers,
    ...(reporter === undefined ? {} : { reporter }),
  });
  return { ...batched, why: first.why };
}
