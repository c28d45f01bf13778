/** Arrays of numpy whose rows may be more than memory holds, alone and by their names. */
import { DataError } from '../../core/errors.js';
import { own } from '../../core/own.js';
import { type ArrayRows, onePiece } from '../../federation/example-rows.js';
import type { NpyArray, NpyDtype, NpyValues } from './npy.js';

/** Rows of an array of numpy. */
export interface NpyRows extends ArrayRows<NpyValues> {
  readonly dtype: NpyDtype;
  /** Whether it is known that all numbers are finite. */
  readonly areFinite?: boolean;
  /** Whether NaN stands for a number that is missing, and for which the splitter puts another one. */
  readonly lacksNumbers?: boolean;
}

/** Arrays by their names, which may be more than memory holds. */
export interface ArrayArchive {
  readonly names: readonly string[];
  /** The rows of one array. @throws {DataError} when it is missing, damaged, or no array that we read */
  rows(name: string): Promise<NpyRows>;
}

/** An array that is in memory, as rows. */
export const rowsOfArray = (array: NpyArray): NpyRows => ({
  ...array,
  pieces: () => onePiece(array.values),
});

/** Arrays by their names as what an archive of them is. @param file named in error messages */
export function archiveOf(arrays: Readonly<Record<string, NpyRows>>, file: string): ArrayArchive {
  const names = Object.keys(arrays);
  return {
    names,
    async rows(name) {
      const array = own(arrays, name);
      if (array !== undefined) return array;
      throw missingArray(file, name, names);
    },
  };
}

/** The error where an archive lacks an array. @param names of those that it has */
export const missingArray = (file: string, name: string, names: readonly string[]): DataError =>
  new DataError({ file, expected: `an array ${name}`, found: listNames(names) });

/** Names for an error message. */
export function listNames(names: readonly string[]): string {
  const shown = names.slice(0, 8).map((name) => JSON.stringify(name));
  if (names.length === 0) return 'no arrays';
  return `arrays ${shown.join(', ')}${names.length > shown.length ? `, … (${names.length})` : ''}`;
}
