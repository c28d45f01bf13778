/** From counted predictions to accuracy, loss and accuracy per class. */
import type { AccuracyReport } from './accuracy-report.js';
import type { Judgements } from './accuracy-test.js';

/** What was counted over all examples. */
export interface Tally {
  /** `confusion[label][predicted]`: number of examples. */
  readonly confusion: readonly (readonly number[])[];
  /** Sum of the cross-entropies. */
  readonly lossSum: number;
}

/** Counts judgements over all examples, whose classes are `labels`. */
export function tallyJudgements(
  { predicted, losses }: Judgements,
  labels: Int32Array,
  classes: number,
): Tally {
  const confusion = Array.from({ length: classes }, () => new Array<number>(classes).fill(0));
  let lossSum = 0;
  for (const [at, label] of labels.entries()) {
    const counts = confusion[label] as number[];
    const guess = predicted[at] as number;
    counts[guess] = (counts[guess] as number) + 1;
    lossSum += losses[at] as number;
  }
  return { confusion, lossSum };
}

/** The figures of an accuracy test, without what was tested. */
export type Summary = Pick<
  AccuracyReport,
  'examples' | 'correct' | 'loss' | 'accuracy' | 'perClass' | 'confusion'
>;

/** The figures of an accuracy report. */
export function summarise({ confusion, lossSum }: Tally): Summary {
  const total = (counts: readonly number[]) => counts.reduce((sum, count) => sum + count, 0);
  const examples = total(confusion.map(total));
  const correct = total(confusion.map((counts, label) => counts[label] ?? 0));
  return {
    examples,
    correct,
    loss: lossSum / examples,
    accuracy: correct / examples,
    perClass: confusion.map((counts, label) => {
      const ofClass = total(counts);
      return {
        class: label,
        examples: ofClass,
        accuracy: ofClass === 0 ? null : (counts[label] ?? 0) / ofClass,
      };
    }),
    confusion,
  };
}
