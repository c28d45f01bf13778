/** Arrays of numpy whose rows may be more than memory holds, alone and by their names. */
import { type ArrayRows, onePiece } from '../../federation/example-rows.js';
import type { NpyArray, NpyDtype, NpyValues } from './npy.js';

/** Rows of an array of numpy. */
export interface NpyRows extends ArrayRows<NpyValues> {
  readonly dtype: NpyDtype;
  /** Whether it is known that all numbers are finite. */
  readonly areFinite?: boolean;
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
