/** The accuracy test proper: what a model says of each held-out example, how far off that is, and the figures of it. */
import { DataError } from '../core/errors.js';
import type { Examples } from '../federation/examples.js';
import type { AccuracyRecord } from '../formats/accuracy-record.js';
import { type Confusion, confusionRecord, MOST_DENSE_CLASSES } from '../formats/confusions.js';
import { faultOf } from '../model/classifier.js';
import { batchImages } from '../model/model-input.js';
import type { PredictSession } from './engine.js';

/** What a model said of some examples, in their order. */
export interface Judgements {
  /** Class that it took each example for. */
  readonly predicted: Int32Array;
  /** Cross-entropy of each example. */
  readonly losses: Float64Array;
}

/** Which examples a model is asked about. */
interface JudgeOptions {
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
    const [probabilities] = await session.predict([batchImages(examples, picks)], picks.length);
    for (const [row, pick] of picks.entries()) {
      const scores = (probabilities as Float32Array).subarray(row * classes, (row + 1) * classes);
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

/** The result of an accuracy test. */
export interface AccuracyReport extends Readonly<AccuracyRecord> {
  readonly seconds: number;
  /** Mean cross-entropy; in the file null where it is not finite. */
  readonly loss: number;
}

/** What was counted over all examples. */
interface Tally {
  readonly classes: number;
  /** What occurred, by label, then by what it was taken for. */
  readonly confusions: readonly Confusion[];
  /** Sum of the cross-entropies. */
  readonly lossSum: number;
}

/** Counts judgements over all examples, whose classes are `labels`: as much work as there are examples, not classes. */
export function tallyJudgements(
  { predicted, losses }: Judgements,
  labels: Int32Array,
  classes: number,
): Tally {
  const keys = Float64Array.from(labels, (label, at) => label * classes + (predicted[at] as number)).sort();
  const confusions: Confusion[] = [];
  for (let from = 0, to = 0; from < keys.length; from = to) {
    const key = keys[from] as number;
    while (keys[to] === key) to++;
    confusions.push([Math.floor(key / classes), key % classes, to - from]);
  }
  return { classes, confusions, lossSum: losses.reduce((sum, loss) => sum + loss, 0) };
}

/** The figures of an accuracy test, without what was tested. */
export type Summary = Pick<
  AccuracyReport,
  'examples' | 'correct' | 'loss' | 'accuracy' | 'perClass' | 'confusion' | 'confusions'
>;

/** The figures of an accuracy report. */
export function summarise({ classes, confusions, lossSum }: Tally): Summary {
  const ofClass = new Float64Array(classes);
  const right = new Float64Array(classes);
  for (const [label, predicted, count] of confusions) {
    ofClass[label] = (ofClass[label] as number) + count;
    if (label === predicted) right[label] = count;
  }
  const total = (counts: Float64Array) => counts.reduce((sum, count) => sum + count, 0);
  const [examples, correct] = [total(ofClass), total(right)];
  const perClass = Array.from(ofClass, (count, label) => ({
    class: label,
    examples: count,
    accuracy: count === 0 ? null : (right[label] as number) / count,
  }));
  return {
    examples,
    correct,
    loss: lossSum / examples,
    accuracy: correct / examples,
    perClass: classes > MOST_DENSE_CLASSES ? perClass.filter(({ examples }) => examples > 0) : perClass,
    ...confusionRecord(confusions, classes),
  };
}
