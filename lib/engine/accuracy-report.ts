/** What the accuracy test found: the content of accuracy.json and the line that it prints. */
import type { ConfusionRecord } from '../formats/confusions.js';

/** Accuracy of one class. */
export interface ClassAccuracy {
  readonly class: number;
  readonly examples: number;
  /** Share of its examples that were recognised, 0 to 1; null where there is none. */
  readonly accuracy: number | null;
}

/** The result of an accuracy test. */
export interface AccuracyReport extends ConfusionRecord {
  /** Path and sha256 of the model's file. */
  readonly model: string;
  readonly sha256: string;
  /** Path of the held-out examples. */
  readonly data: string;
  readonly seconds: number;
  readonly examples: number;
  readonly correct: number;
  /** Mean cross-entropy. */
  readonly loss: number;
  readonly accuracy: number;
  /** Of every class; of those that occur, where the confusions are a list. */
  readonly perClass: readonly ClassAccuracy[];
}

/** The last line of the accuracy test, in Keras' form: `10000/10000 - 3s - loss: 0.0812 - acc: 0.9753`. */
export function formatAccuracyLine({ examples, seconds, loss, accuracy }: AccuracyReport): string {
  return `${examples}/${examples} - ${Math.round(seconds)}s - loss: ${loss.toFixed(4)} - acc: ${accuracy.toFixed(4)}`;
}
