/** What a model takes for what, in `accuracy.json`: a matrix of few classes, of many a list of what occurs. */
import type { AccuracyRecord } from './accuracy-record.js';

/** An entry of the confusion matrix: the label, what the model took it for, and how many examples. */
export type Confusion = readonly [label: number, predicted: number, count: number];

/**
 * Up to so many classes files hold one number for each class, and a matrix of them squared: what people look at, and
 * the form that files have had since the first version. Of 65,536 classes a matrix would be 4 billion numbers, most of
 * them 0; what occurs is never more than there are examples.
 */
export const MOST_DENSE_CLASSES = 100;

/** How the entries are written, of so many classes. */
export function confusionRecord(
  entries: readonly Confusion[],
  classes: number,
): Pick<AccuracyRecord, 'confusion' | 'confusions'> {
  return classes > MOST_DENSE_CLASSES ? { confusions: entries } : { confusion: matrixOf(entries, classes) };
}

/** The matrix: `[label][predicted]`. */
export function matrixOf(entries: readonly Confusion[], classes: number): readonly (readonly number[])[] {
  const matrix = Array.from({ length: classes }, () => new Array<number>(classes).fill(0));
  for (const [label, predicted, count] of entries) (matrix[label] as number[])[predicted] = count;
  return matrix;
}

/** The entries that are not 0, from either form; undefined where a record has neither, or something else. */
export function confusionsIn(record: object): readonly Confusion[] | undefined {
  const { confusion, confusions } = record as { readonly confusion?: unknown; readonly confusions?: unknown };
  if (Array.isArray(confusions)) return confusions.every(isConfusion) ? confusions : undefined;
  if (!Array.isArray(confusion)) return undefined;
  const entries: Confusion[] = [];
  for (const [label, row] of confusion.entries()) {
    if (!Array.isArray(row)) return undefined;
    for (const [predicted, count] of row.entries()) {
      if (!isCount(count)) return undefined;
      if (count > 0) entries.push([label, predicted, count]);
    }
  }
  return entries;
}

/** The mistakes that were made most often, that one first; of equals the smaller label first. */
export function worstConfusions(entries: readonly Confusion[], most: number): readonly Confusion[] {
  return entries
    .filter(([label, predicted]) => label !== predicted)
    .sort((a, b) => b[2] - a[2])
    .slice(0, most);
}

/** In words, e.g. `4 for 9 (23 ×), 7 for 2 (8 ×)`. */
export function confusionText(worst: readonly Confusion[], nameOf = (label: number) => `${label}`): string {
  return worst
    .map(
      ([label, predicted, count]) =>
        `${nameOf(label)} for ${nameOf(predicted)} (${count.toLocaleString('en')} ×)`,
    )
    .join(', ');
}

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && Number(value) >= 0;

const isConfusion = (value: unknown): value is Confusion =>
  Array.isArray(value) && value.length === 3 && value.every(isCount);
