/** One input of a model from some columns of a table: its numbers for any rows, and what is known of them. */
import { DataError } from '../../../core/errors.js';
import { own } from '../../../core/own.js';
import { sizeOf } from '../../../core/weights.js';
import { VALUE_ARRAYS } from '../../../federation/examples.js';
import type { NpyRows } from '../../data/npy.js';
import type { TableDescription } from '../description.js';
import { categoryValues, filledBy } from './cell-values.js';
import type { Column } from './column.js';
import { sortedTexts } from './table-plan.js';
import type { TableRows } from './table-rows.js';

type InputPlan = Omit<TableDescription['inputs'][string], 'columns'> & {
  readonly columns: readonly Column[];
  readonly missing: NonNullable<TableDescription['missing']>;
  readonly units: NonNullable<TableDescription['units']>;
  readonly source: string;
};

/** What is said of those columns of which something is. */
function saidOf<T>(columns: readonly Column[], said: (name: string) => T | undefined): Record<string, T> {
  const known = columns.map(({ name }) => [name, said(name)] as const);
  return Object.fromEntries(known.filter((each): each is readonly [string, T] => each[1] !== undefined));
}

/** An input: what it is of rows, and what it says of itself. */
export function makeInput(
  name: string,
  { columns, categories, shape, type, missing, units, source }: InputPlan,
) {
  const extents = shape ?? [columns.length];
  if (sizeOf(extents) !== columns.length) {
    const expected = `the input ${name} of shape ${extents.join(' × ')} to have ${sizeOf(extents)} columns`;
    throw new DataError({ file: source, expected, found: `${columns.length}` });
  }
  const isBytes = categories === undefined && type === 'uint8';
  if (isBytes) for (const column of columns) requireBytes(column, source);
  const texts = categories === undefined ? undefined : categories === 'all' ? textsOf(columns) : categories;
  const valuesOf = columns.map((column) => {
    if (texts !== undefined) return categoryValues(column, texts);
    const rule = own(missing, column.name);
    return column.missing === 0 || rule === 'mean' ? undefined : filledBy(rule);
  });
  const means =
    texts === undefined ? columns.filter(({ name: column }) => own(missing, column) === 'mean') : [];
  for (const column of means) requireMean(column, { isBytes, source });
  const filled = saidOf(columns, (column) => {
    const rule = own(missing, column);
    // A mean is known when all clients have told of theirs.
    return rule === 'drop' || rule === 'mean' ? undefined : rule;
  });
  const counted = saidOf(columns, (column) => own(units, column));
  const isEmpty = (record: object) => Object.keys(record).length === 0;
  const width = columns.length;
  const dtype = texts !== undefined ? 'int32' : isBytes ? 'uint8' : 'float32';
  const valuesOfRows = (rows: Uint32Array, values = new VALUE_ARRAYS[dtype](rows.length * width)) => {
    for (const [at, column] of columns.entries())
      column.read(rows, values, { from: at, step: width, numberOf: valuesOf[at] });
    return values;
  };
  const lacking = means.some((column) => column.missing > 0) ? { lacksNumbers: true } : {};
  const form = (rows: TableRows) => ({ dtype, shape: [rows.length, ...extents], ...lacking }) as const;
  const areFinite = columns.every(({ name, least, most }) => {
    const stand = missing[name];
    return [least, most, typeof stand === 'number' ? stand : 0].every((each) =>
      Number.isFinite(Math.fround(each)),
    );
  });
  return {
    facts: {
      // The columns of a picture are its pixels: their names tell nothing.
      ...(isBytes ? {} : { columns: columns.map((column) => column.name) }),
      ...(texts === undefined ? {} : { categories: texts }),
      ...(isEmpty(counted) ? {} : { units: counted }),
      ...(isEmpty(filled) ? {} : { missing: filled }),
    },
    /** The columns whose missing numbers become their means. */
    means: means.map((column) => column.name),
    arrayOf: (rows: TableRows) => ({ ...form(rows), values: valuesOfRows(rows.numbers(0, rows.length)) }),
    /** As often as wanted, for as long as the columns are not forgotten; a piece holds until the next one is asked for. */
    rowsInPieces: (rows: TableRows): NpyRows => ({
      ...form(rows),
      areFinite: dtype === 'float32' && areFinite,
      async *pieces() {
        const count = Math.max(1, Math.floor(PIECE_NUMBERS / width));
        const room = new VALUE_ARRAYS[dtype](Math.min(count, rows.length) * width);
        for (let at = 0; at < rows.length; at += count) {
          const numbers = rows.numbers(at, Math.min(at + count, rows.length));
          yield valuesOfRows(numbers, room.subarray(0, numbers.length * width));
        }
      },
    }),
    /** Their form alone: the cells were not kept. */
    checkedRows: (rows: TableRows): NpyRows => ({ ...form(rows), async *pieces() {} }),
  };
}

/** About so many numbers are made at once: each column writes into all of them, and a processor keeps no more close by. */
const PIECE_NUMBERS = 2 ** 15;

/** Texts of all columns that share a vocabulary, sorted. @throws {DataError} for more than an Embedding has room for */
function textsOf(columns: readonly Column[]): readonly string[] {
  return [...new Set(columns.flatMap(sortedTexts))].sort();
}

interface MeanOptions {
  readonly isBytes: boolean;
  readonly source: string;
}

/** @throws {DataError} where a column has no mean, or its cells cannot hold one */
function requireMean({ name, least, most }: Column, { isBytes, source }: MeanOptions): void {
  const hasMean = [least, most].every((each) => Number.isFinite(Math.fround(each)));
  if (hasMean && !isBytes) return;
  const expected = isBytes
    ? `numbers of type float32 in column ${name}, for whose missing ones the mean stands`
    : `numbers that have a mean in column ${name}`;
  const found = isBytes ? 'the type uint8' : least > most ? 'none' : `numbers from ${least} to ${most}`;
  throw new DataError({ file: source, expected, found });
}

function requireBytes({ name, isWhole, least, most }: Column, source: string): void {
  if (isWhole && least >= 0 && most <= 255) return;
  const found = isWhole ? `numbers from ${least} to ${most}` : 'numbers that are not whole';
  throw new DataError({ file: source, expected: `whole numbers from 0 to 255 in column ${name}`, found });
}
