/** Shards of a simulation: all training examples in one file, and in another one which of them each client has. */
import { DataError } from '../../core/errors.js';
import { type VirtualShards, virtualClients } from '../../federation/partition/client-holdout.js';
import { writeFileAtomic } from '../files/atomic-file.js';
import { readFileBytes, sha256 } from '../files/read-file.js';
import type { WrittenFile } from './dataset.js';
import type { NpyArray } from './npy.js';
import { encodeNpz, type NamedArray, openNpz } from './npz.js';

/** All training examples: arrays `x`, `y`, like a shard. */
export const TRAIN_NAME = 'train.npz';
/**
 * Arrays `indices` (the clients' examples, one client after the other) and `sizes` (how many each has), both int32; where
 * clients hold some of their examples out, `test_indices` and `test_sizes` are those, which are not among the others.
 */
export const PARTITION_NAME = 'partition.npz';

/** Which examples each client has, and which it holds out. */
interface WrittenLists {
  readonly shards: readonly Uint32Array[];
  readonly heldOut?: readonly Uint32Array[] | undefined;
}

/** Writes the clients' lists of examples atomically. @throws {StorageError} when the disk refuses */
export async function writePartition(path: string, { shards, heldOut }: WrittenLists): Promise<WrittenFile> {
  const bytes = await encodeNpz([
    ...arraysOf('', shards),
    ...(heldOut === undefined ? [] : arraysOf(HELD_OUT, heldOut)),
  ]);
  await writeFileAtomic(path, bytes);
  return { sizeBytes: bytes.length, sha256: sha256(bytes) };
}

/** What the names of the lists of held-out examples begin with. */
const HELD_OUT = 'test_';

/** One list of all, and how many each client has. */
function arraysOf(prefix: string, lists: readonly Uint32Array[]): readonly NamedArray[] {
  const sizes = Int32Array.from(lists, (list) => list.length);
  const indices = new Int32Array(sizes.reduce((sum, size) => sum + size, 0));
  let at = 0;
  for (const list of lists) {
    indices.set(list, at);
    at += list.length;
  }
  return [
    { name: `${prefix}indices`, shape: [indices.length], values: indices },
    { name: `${prefix}sizes`, shape: [sizes.length], values: sizes },
  ];
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
  const lists = (prefix: string, least: number) => {
    const indices = list(`${prefix}indices`);
    const sizes = list(`${prefix}sizes`);
    const offsets = new Int32Array(sizes.length + 1);
    for (const [client, size] of sizes.entries()) {
      if (size < least) throw fault('at least one example for each client', `${size} for client ${client}`);
      offsets[client + 1] = (offsets[client] as number) + size;
    }
    const dealt = offsets.at(-1) ?? 0;
    if (sizes.length === 0 || dealt !== indices.length) {
      throw fault(`${indices.length} indices for clients that have as many`, `sizes that sum to ${dealt}`);
    }
    const stray = indices.find((index) => index < 0 || index >= examples);
    if (stray !== undefined) throw fault(`indices below ${examples}, the number of examples`, `${stray}`);
    return { indices, offsets };
  };
  const shards = lists('', 1);
  if (!archive.names.includes(`${HELD_OUT}sizes`)) return shards;
  const heldOut = lists(HELD_OUT, 0);
  if (virtualClients(heldOut) === virtualClients(shards)) return { ...shards, heldOut };
  throw fault(
    `${virtualClients(shards)} sizes in ${HELD_OUT}sizes, one for each client`,
    `${virtualClients(heldOut)}`,
  );
}
