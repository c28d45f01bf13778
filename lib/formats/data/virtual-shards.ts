/** Shards of a simulation: all training examples in one file, and in another one which of them each client has. */
import { DataError } from '../../core/errors.js';
import type { VirtualShards } from '../../federation/examples.js';
import { writeFileAtomic } from '../files/atomic-file.js';
import { readFileBytes, sha256 } from '../files/read-file.js';
import type { WrittenFile } from './dataset.js';
import type { NpyArray } from './npy.js';
import { encodeNpz, openNpz } from './npz.js';

/** All training examples: arrays `x`, `y`, like a shard. */
export const TRAIN_NAME = 'train.npz';
/** Arrays `indices` (the clients' examples, one client after the other) and `sizes` (how many each has), both int32. */
export const PARTITION_NAME = 'partition.npz';

/** Writes the clients' lists of examples atomically. @throws {StorageError} when the disk refuses */
export async function writePartition(path: string, shards: readonly Uint32Array[]): Promise<WrittenFile> {
  const sizes = Int32Array.from(shards, (shard) => shard.length);
  const indices = new Int32Array(sizes.reduce((sum, size) => sum + size, 0));
  let at = 0;
  for (const shard of shards) {
    indices.set(shard, at);
    at += shard.length;
  }
  const bytes = await encodeNpz([
    { name: 'indices', shape: [indices.length], values: indices },
    { name: 'sizes', shape: [sizes.length], values: sizes },
  ]);
  await writeFileAtomic(path, bytes);
  return { sizeBytes: bytes.length, sha256: sha256(bytes) };
}

/**
 * Reads the clients' lists.
 *
 * @param examples how many training examples there are
 * @throws {DataError} when the file is missing or damaged, or names examples that there are not
 */
export async function readPartition(path: string, examples: number): Promise<VirtualShards> {
  const fault = (expected: string, found: string) => new DataError({ file: path, expected, found });
  const archive = await openNpz(await readFileBytes(path, "the clients' examples (npz)"), path);
  const list = (name: string): Int32Array => {
    const { dtype, shape, values }: NpyArray = archive.read(name);
    if (values instanceof Int32Array && shape.length === 1) return values;
    throw fault(`${name} to be a list of int32`, `${dtype} in ${shape.length} dimensions`);
  };
  const indices = list('indices');
  const sizes = list('sizes');
  const offsets = new Int32Array(sizes.length + 1);
  for (const [client, size] of sizes.entries()) {
    if (size < 1) throw fault('at least one example for each client', `${size} for client ${client}`);
    offsets[client + 1] = (offsets[client] as number) + size;
  }
  const dealt = offsets.at(-1) ?? 0;
  if (sizes.length === 0 || dealt !== indices.length) {
    throw fault(`${indices.length} indices for clients that have as many`, `sizes that sum to ${dealt}`);
  }
  const stray = indices.find((index) => index < 0 || index >= examples);
  if (stray !== undefined) throw fault(`indices below ${examples}, the number of examples`, `${stray}`);
  return { indices, offsets };
}
