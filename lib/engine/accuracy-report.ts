/** What the accuracy test found: the content of accuracy.json and the line that it prints. */
import type { AccuracyRecord } from '../formats/accuracy-record.js';

/** The result of an accuracy test. */
export interface AccuracyReport extends Readonly<AccuracyRecord> {
  readonly seconds: number;
  /** Mean cross-entropy; in the file null where it is not finite. */
  readonly loss: number;
}

/** The last line of the accuracy test, in Keras' form: `10000/10000 - 3s - loss: 0.0812 - acc: 0.9753`. */
export function formatAccuracyLine({ examples, seconds, loss, accuracy }: AccuracyReport): string {
  return `${examples}/${examples} - ${Math.round(seconds)}s - loss: ${loss.toFixed(4)} - acc: ${accuracy.toFixed(4)}`;
}
