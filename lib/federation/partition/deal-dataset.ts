/**
 * A whole dataset dealt: which examples are held out for testing where it brings none, and who has which of the
 * others.
 */
import { UsageError } from '../../core/errors.js';
import { permutation, randomStream } from '../../core/random.js';
import { identity } from './dealing.js';
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

/** Share that is set aside unless the user says otherwise. */
export const DEFAULT_TEST_FRACTION = 0.1;

/** Examples set aside for testing, and the rest; both ascending, together all of 0 … n-1. */
interface HoldOut {
  readonly train: Uint32Array;
  readonly test: Uint32Array;
}

/**
 * Sets a random `fraction` (0 to 1) of `count` examples aside: at least one, and never all.
 *
 * @throws {UsageError} when there are fewer than two examples.
 */
export function holdOut(count: number, fraction: number, seed: number): HoldOut {
  if (count < 2)
    throw new UsageError(`Expected at least 2 examples to hold some out for testing, found ${count}.`);
  const held = Math.min(count - 1, Math.max(1, Math.round(count * fraction)));
  const order = permutation(count, randomStream(seed, 'partition', 'hold-out'));
  return { train: order.slice(held).sort(), test: order.slice(0, held).sort() };
}
