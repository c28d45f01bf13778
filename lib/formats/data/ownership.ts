/** Whose each example of a dataset is, where the dataset itself says so: an array of keys, or shards. */
import { DataError } from '../../core/errors.js';
import { formatShape } from '../../core/weights.js';
import { type Ownership, ownersByKey } from '../../federation/partition/by-owner.js';
import type { PartitionSettings } from '../../federation/partition/settings.js';
import { readFileBytes } from '../files/read-file.js';
import { listGivenShards } from './given-shards.js';
import { numberKeysLine } from './mending-lines.js';
import { openNpz } from './npz.js';

/** Where the keys are. */
interface KeyedDataset {
  /** The bytes of the npz, and its path for error messages. */
  readonly bytes: Uint8Array;
  readonly path: string;
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
export async function readOwnership({ bytes, path, key, examples }: KeyedDataset): Promise<Ownership> {
  const { dtype, shape, values } = (await openNpz(bytes, path)).read(key);
  const fault = (expected: string, found: string, mend?: string) =>
    new DataError({ file: path, expected, found, mend });
  if (!/^(u?int|bool)/.test(dtype)) {
    throw fault(`the keys ${key} to be whole numbers (int or uint)`, dtype, numberKeysLine(path, key));
  }
  if (shape.length !== 1 && !(shape.length === 2 && shape[1] === 1)) {
    throw fault(`${key} to be keys [n], one for each training example`, `the shape ${formatShape(shape)}`);
  }
  if (examples !== undefined && values.length !== examples) {
    throw fault(`${examples} keys in ${key}, one for each training example`, `${values.length}`);
  }
  return ownersByKey(values);
}

/**
 * The number of clients that the data tell of, for the schemes `by-key` and `given`.
 *
 * @throws {DataError} as `readOwnership` and `listGivenShards`
 */
export async function clientsInData(data: string, partition: PartitionSettings): Promise<number> {
  if (partition.scheme !== 'by-key') return (await listGivenShards(data)).shards.length;
  const bytes = await readFileBytes(data, 'a dataset (npz)');
  return (await readOwnership({ bytes, path: data, key: partition.key })).names.length;
}
