/** Examples whose inputs may be more than memory holds: their rows are read in pieces, from the first to the last, as often as wanted. */
import { sizeOf } from '../core/weights.js';
import {
  dtypeOf,
  type ExampleDtype,
  type ExampleInput,
  type Examples,
  type ExampleValues,
  tokensIn,
} from './examples.js';

/** So many bytes of arrays are kept in memory, all of a dataset together; what is more is read in pieces. */
export const IN_MEMORY_BYTES = 128e6;

/** Rows of an array. */
export interface ArrayRows<V> {
  /** `[n, …]` */
  readonly shape: readonly number[];
  /** All of them, where they are in memory. */
  readonly values?: V | undefined;
  /** All of them in their order, each piece some whole rows. */
  pieces(): AsyncIterable<V>;
}

/** Least and largest of numbers. */
export interface ValueRange {
  readonly least: number;
  readonly most: number;
}

/** Of no numbers. */
export const NO_RANGE: ValueRange = { least: Number.POSITIVE_INFINITY, most: Number.NEGATIVE_INFINITY };

/** Of whole numbers, and of those before them. */
export function rangeOfValues(values: Iterable<number | bigint>, before = NO_RANGE): ValueRange {
  let { least, most } = before;
  for (const value of values) {
    const number = Number(value);
    if (number < least) least = number;
    if (number > most) most = number;
  }
  return { least, most };
}

/** The rows of an input. */
export interface InputRows extends ArrayRows<ExampleValues> {
  readonly name: string;
  readonly dtype: ExampleDtype;
  /** Of all values, where they are not in memory and were looked at. */
  readonly range?: ValueRange | undefined;
}

/** Examples with their inputs as rows; targets and weights are in memory. */
export interface ExampleRows extends Pick<Examples, 'targets' | 'weights'> {
  readonly inputs: readonly [InputRows, ...InputRows[]];
}

/** A dataset of such. */
export interface DatasetRows {
  readonly train: ExampleRows;
  readonly test?: ExampleRows;
}

/** Values that are in memory, as one piece. */
export async function* onePiece<V>(values: V): AsyncGenerator<V> {
  yield values;
}

/** Examples that are in memory, as rows. */
export function rowsOfExamples({ inputs, ...others }: Examples): ExampleRows {
  const rows = inputs.map(
    ({ name, shape, values }): InputRows => ({
      ...{ name, shape, values, dtype: dtypeOf(values) },
      pieces: () => onePiece(values),
    }),
  );
  return { ...others, inputs: rows as unknown as ExampleRows['inputs'] };
}

/** The same examples in memory. */
export async function examplesOfRows({ inputs, ...others }: ExampleRows): Promise<Examples> {
  const arrays: ExampleInput[] = [];
  for (const input of inputs)
    arrays.push({ name: input.name, shape: input.shape, values: await wholeOf(input) });
  return { ...others, inputs: arrays as unknown as Examples['inputs'] };
}

/** Typed arrays of one kind. */
interface Settable<V> {
  readonly length: number;
  readonly constructor: unknown;
  set(values: V, at: number): void;
}

/** All values in memory. */
export async function wholeOf<V extends Settable<never>>({
  shape,
  values,
  pieces,
}: ArrayRows<V>): Promise<V> {
  if (values !== undefined) return values;
  let whole: V | undefined;
  let at = 0;
  for await (const piece of pieces()) {
    whole ??= new (piece.constructor as new (length: number) => V)(sizeOf(shape));
    whole.set(piece as never, at);
    at += piece.length;
  }
  if (whole === undefined) throw new RangeError('rows come in at least one piece');
  return whole;
}

/** What the numbers of a sequence are all below: `tokensIn` of rows. */
export function tokensOfRows({ shape, values, dtype, range }: InputRows): number | undefined {
  if (values !== undefined) return tokensIn({ shape, values });
  const isTokens = shape.length === 2 && (dtype === 'int32' || dtype === 'uint8');
  return isTokens && range !== undefined && range.least >= 0 ? range.most + 1 : undefined;
}

/** Rows with a number of its column in place of each NaN. @param numbers one for each number of a row */
export function completedRows(rows: InputRows, numbers: Float64Array): InputRows {
  const complete = (values: ExampleValues) => {
    const completed = values.slice();
    for (let at = 0; at < completed.length; at++)
      if (Number.isNaN(completed[at])) completed[at] = numbers[at % numbers.length] as number;
    return completed;
  };
  return {
    ...rows,
    values: rows.values && complete(rows.values),
    async *pieces() {
      for await (const piece of rows.pieces()) yield complete(piece);
    },
  };
}

/** Whole numbers under other numbers: element v is what v becomes. */
export async function renumberedRows(rows: InputRows, numbers: Int32Array): Promise<InputRows> {
  const renumber = (values: ExampleValues) => Int32Array.from(values, (value) => numbers[value] as number);
  const renumbered: InputRows = {
    ...rows,
    values: rows.values && renumber(rows.values),
    async *pieces() {
      for await (const piece of rows.pieces()) yield renumber(piece);
    },
  };
  if (rows.range === undefined) return renumbered;
  let range = NO_RANGE;
  for await (const piece of renumbered.pieces()) range = rangeOfValues(piece, range);
  return { ...renumbered, range };
}
