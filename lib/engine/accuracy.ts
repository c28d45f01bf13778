/** The accuracy test proper: what a model says of each held-out example, and how far off that is. */
import { DataError } from '../core/errors.js';
import type { Examples } from '../federation/examples.js';
import { faultOf } from '../model/classifier.js';
import type { PredictSession } from './engine.js';
import { batchImages } from './image-batch.js';

/** What a model said of some examples, in their order. */
export interface Judgements {
  /** Class that it took each example for. */
  readonly predicted: Int32Array;
  /** Cross-entropy of each example. */
  readonly losses: Float64Array;
}

/** Which examples a model is asked about. */
export interface JudgeOptions {
  readonly examples: Examples;
  /** The first example, and the one after the last. */
  readonly from: number;
  readonly to: number;
  readonly classes: number;
  /** Examples per prediction. */
  readonly batchSize: number;
  /** Files of the model and of the examples, for errors. */
  readonly model: string;
  readonly data: string;
  readonly signal?: AbortSignal;
  /** Called after every prediction with the number of examples done. */
  readonly onBatch?: (done: number) => void;
}

/**
 * Asks a model about examples, batch by batch.
 *
 * @throws {DataError} when it answers with what are no probabilities
 */
export async function judge(session: PredictSession, options: JudgeOptions): Promise<Judgements> {
  const { examples, from, to, classes, batchSize, signal, onBatch } = options;
  const predicted = new Int32Array(to - from);
  const losses = new Float64Array(to - from);
  for (let start = from; start < to; start += batchSize) {
    signal?.throwIfAborted();
    const picks = Uint32Array.from({ length: Math.min(batchSize, to - start) }, (_, at) => start + at);
    const probabilities = await session.predict(batchImages(examples, picks), picks.length);
    for (const [row, pick] of picks.entries()) {
      const scores = probabilities.subarray(row * classes, (row + 1) * classes);
      const fault = faultOf(scores);
      if (fault !== undefined) {
        const found = `${fault.found} for example ${pick} of ${options.data}`;
        throw new DataError({ ...fault, file: options.model, found });
      }
      predicted[pick - from] = indexOfLargest(scores);
      losses[pick - from] = crossEntropy(scores[examples.labels[pick] as number] as number);
    }
    onBatch?.(start + picks.length - from);
  }
  return { predicted, losses };
}

/** Keras clips probabilities by its epsilon, so that a certain mistake has a finite loss. */
const SMALLEST_PROBABILITY = 1e-7;

const crossEntropy = (probability: number) =>
  -Math.log(Math.min(1 - SMALLEST_PROBABILITY, Math.max(SMALLEST_PROBABILITY, probability)));

function indexOfLargest(scores: Float32Array): number {
  let best = 0;
  for (let at = 1; at < scores.length; at++) if ((scores[at] as number) > (scores[best] as number)) best = at;
  return best;
}
