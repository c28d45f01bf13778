/** Which rows of a table, and what is made of the cells of a column in them. */
import type { Column } from './column.js';

/** Rows, in their order: of millions of rows no list is kept where they follow each other. */
export interface TableRows {
  readonly length: number;
  /** The numbers of those from one place up to another. */
  numbers(from: number, to: number): Uint32Array;
}

/** Rows that follow each other. */
export const rowsBetween = (start: number, end: number): TableRows => ({
  length: end - start,
  numbers(from, to) {
    const numbers = new Uint32Array(to - from);
    for (let at = 0; at < numbers.length; at++) numbers[at] = start + from + at;
    return numbers;
  },
});

/** Rows of a list. */
export const rowsListed = (list: Uint32Array): TableRows => ({
  length: list.length,
  numbers: (from, to) => list.subarray(from, to),
});

/** Rows that are looked at at once. */
const BLOCK_ROWS = 2 ** 16;

/** An array filled with what the cells of a column stand for, row by row. */
export function filledByRows<A extends Int32Array | Float32Array>(
  values: A,
  rows: TableRows,
  { column, numberOf }: { readonly column: Column; readonly numberOf: (cell: number) => number },
): A {
  for (let from = 0; from < rows.length; from += BLOCK_ROWS) {
    const numbers = rows.numbers(from, Math.min(from + BLOCK_ROWS, rows.length));
    column.read(numbers, values, { from, step: 1, numberOf });
  }
  return values;
}
