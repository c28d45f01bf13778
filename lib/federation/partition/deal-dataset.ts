/** A whole dataset dealt: which examples are held out for testing, and who has which of the others. */
import { identity } from './dealing.js';
import { holdOut } from './hold-out.js';
import { type PartitionOptions, partition } from './partition.js';

/** What to deal by; `ownership` says whose each example is, those that are held out included. */
type DealOptions = PartitionOptions & {
  /** Share of the examples to hold out, between 0 and 1; undefined where the dataset brings test examples. */
  readonly testFraction: number | undefined;
};

/** Indices into the dataset's training examples; together every one of them exactly once. */
interface Deal {
  /** Element k holds client k's. */
  readonly shards: readonly Uint32Array[];
  /** Those held out, ascending; empty where the dataset brings test examples. */
  readonly held: Uint32Array;
}

/**
 * Deals the examples whose classes are `labels`.
 *
 * @throws {UsageError} when the settings and the examples do not go together, with the numbers
 */
export function dealDataset(labels: Int32Array, options: DealOptions): Deal {
  const { testFraction, seed, ownership } = options;
  const { train, test } =
    testFraction === undefined
      ? { train: identity(labels.length), test: new Uint32Array(0) }
      : holdOut(labels.length, testFraction, seed);
  const kept = train.map((index) => labels[index] as number);
  const owned = ownership && {
    ...ownership,
    owners: train.map((index) => ownership.owners[index] as number),
  };
  const shards = partition(kept, { ...options, ownership: owned });
  return {
    shards: shards.map((indices) => indices.map((index) => train[index] as number)),
    held: test,
  };
}
