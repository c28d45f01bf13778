/** The schemes in which the data say whose each example is: by a key, or because they are split already. */
import { UsageError } from '../../core/errors.js';

/** Whose each example is, and what the owners are called. */
export interface Ownership {
  /** Number of each example's owner, from 0. */
  readonly owners: Uint32Array;
  /** Names of the owners, in the order of their numbers. */
  readonly names: readonly string[];
}

/** The owners behind a column of keys: client 0 has the smallest key, and so on. */
export function ownersByKey(keys: ArrayLike<number> | ArrayLike<bigint>): Ownership {
  const distinct = new Set<number | bigint>();
  for (let index = 0; index < keys.length; index++) distinct.add(keys[index] as number | bigint);
  const sorted = [...distinct].sort((a, b) => (a < b ? -1 : 1));
  // Keys that are numbers of owners already are taken as they lie there: of millions each copy counts.
  if (keys instanceof Int32Array && sorted.every((key, owner) => key === owner)) {
    const owners = new Uint32Array(keys.buffer, keys.byteOffset, keys.length);
    return { owners, names: sorted.map(String) };
  }
  const numbers = new Map(sorted.map((key, owner) => [key, owner]));
  const owners = new Uint32Array(keys.length);
  for (let index = 0; index < keys.length; index++) {
    owners[index] = numbers.get(keys[index] as number | bigint) as number;
  }
  return { owners, names: sorted.map(String) };
}

/** Each client's own examples, in the order of the file. @throws {UsageError} when ownership is not known */
export function byOwner(
  labels: ArrayLike<number>,
  { clients, ownership }: { readonly clients: number; readonly ownership: Ownership | undefined },
): readonly Uint32Array[] {
  if (ownership === undefined) throw new UsageError('The data do not say whose each example is.');
  const { owners } = ownership;
  const sizes = new Uint32Array(clients);
  for (const owner of owners) sizes[owner] = (sizes[owner] as number) + 1;
  const hands = Array.from(sizes, (size) => new Uint32Array(size));
  const filled = new Uint32Array(clients);
  for (let index = 0; index < labels.length; index++) {
    const owner = owners[index] as number;
    const at = filled[owner] as number;
    (hands[owner] as Uint32Array)[at] = index;
    filled[owner] = at + 1;
  }
  return hands;
}
