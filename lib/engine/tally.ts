/** From counted predictions to accuracy, loss and accuracy per class. */
import { type Confusion, confusionRecord, MOST_DENSE_CLASSES } from '../formats/confusions.js';
import type { AccuracyReport } from './accuracy-report.js';
import type { Judgements } from './accuracy.js';

/** What was counted over all examples. */
export interface Tally {
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
