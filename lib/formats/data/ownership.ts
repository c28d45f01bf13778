/** Whose each example of a dataset is, where the dataset itself says so: an array of keys, or shards. */
import { DataError } from '../../core/errors.js';
import { formatShape } from '../../core/weights.js';
import { wholeOf } from '../../federation/example-rows.js';
import { type Ownership, ownersByKey } from '../../federation/partition/by-owner.js';
import { numberKeysLine } from './mending-lines.js';
import type { ArrayArchive } from './npz.js';

/** Where the keys are. */
interface KeyedDataset {
  /** The arrays, and the path of their file for error messages. */
  readonly arrays: ArrayArchive;
  readonly path: string;
  /** What the numbers stand for, where they stand for something. */
  readonly names?: readonly string[] | undefined;
  /** Name of the array. */
  readonly key: string;
  /** Training examples of the dataset, where they are known: as many keys there must be. */
  readonly examples?: number;
}

/**
 * Reads an array of keys, `[n]` or `[n, 1]`: whole numbers of any width.
 *
 * @throws {DataError} when it is missing, damaged, or of another dtype, shape or length
 */
export async function readOwnership({
  arrays,
  path,
  key,
  examples,
  names,
}: KeyedDataset): Promise<Ownership> {
  const rows = await arrays.rows(key);
  const { dtype, shape } = rows;
  const fault = (expected: string, found: string, mend?: string) =>
    new DataError({ file: path, expected, found, mend });
  if (!/^(u?int|bool)/.test(dtype)) {
    throw fault(`the keys ${key} to be whole numbers (int or uint)`, dtype, numberKeysLine(path, key));
  }
  if (shape.length !== 1 && !(shape.length === 2 && shape[1] === 1)) {
    throw fault(`${key} to be keys [n], one for each training example`, `the shape ${formatShape(shape)}`);
  }
  if (examples !== undefined && shape[0] !== examples) {
    throw fault(`${examples} keys in ${key}, one for each training example`, `${shape[0]}`);
  }
  const values = await wholeOf(rows);
  const ownership = ownersByKey(values);
  return names === undefined
    ? ownership
    : { ...ownership, names: ownership.names.map((number) => names[Number(number)] ?? number) };
}
