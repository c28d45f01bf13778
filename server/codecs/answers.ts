/** What a model said as requests get it: the numbers of each output, and these as lists of JSON. */
import { sizeOf } from '../../lib/core/weights.js';
import { columnsAt } from '../rows.js';

/** One output in rows of the numbers of all outputs. */
interface OutputColumns {
  readonly name: string;
  /** Of the answer to one example. */
  readonly shape: readonly number[];
  /** Where its numbers begin in a row. */
  readonly from: number;
}

/** What a model said of `count` examples: for each the numbers of all outputs, one after the other. */
export interface Answers {
  readonly answers: Float32Array;
  readonly count: number;
  /** Those that are asked for. */
  readonly outputs: readonly OutputColumns[];
}

/** What was said at one output of each example, `[count, …shape]`; a view where there is one output alone. */
export function columnsOf({ answers, count }: Answers, { shape, from }: OutputColumns): Float32Array {
  return columnsAt(answers, { from, size: sizeOf(shape), count });
}

/** The same as lists within lists, without the noise behind a float's 8 digits. */
export function listsOf(given: Answers, output: OutputColumns): readonly unknown[] {
  const values = Array.from(columnsOf(given, output), withoutNoise);
  return nested(values, [given.count, ...output.shape]);
}

/** Values in a row as lists within lists of a shape. */
export function nested<T>(
  values: readonly T[],
  [extent = 1, ...inner]: readonly number[],
): readonly unknown[] {
  if (inner.length === 0) return values;
  const size = values.length / extent;
  return Array.from({ length: extent }, (_, at) => nested(values.slice(at * size, (at + 1) * size), inner));
}

/** A float32 has some 7 significant digits; what JSON would write behind them is noise. */
export function withoutNoise(value: number): number {
  return Number(value.toPrecision(8));
}
