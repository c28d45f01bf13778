/** What is known of the datasets that have a name without reading them, or having them at all. */
import { own } from '../lib/core/own.js';

/** Training examples of each label, label 0 first. All bring test examples. */
const TRAINING_LABELS: Readonly<Record<string, readonly number[]>> = {
  digits: [600, 600, 600, 600, 600, 600, 600, 600, 600, 600],
  mnist: [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949],
};

/** The labels of a named dataset's training examples, in an order of their own; undefined where the name is a path. */
export function namedLabels(name: string): Int32Array | undefined {
  const counts = own(TRAINING_LABELS, name);
  return counts && Int32Array.from(counts.flatMap((count, label) => Array<number>(count).fill(label)));
}
