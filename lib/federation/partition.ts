/** How examples are dealt to clients: partition schemes as pure functions from labels to indices. */
import { UsageError } from './errors.js';
import { permutation, randomStream } from './random.js';

/** What every scheme is told. */
export interface PartitionOptions {
  /** Number of clients K, at least 1 and at most the number of examples. */
  readonly clients: number;
  readonly seed: number;
}

/**
 * Deals examples 0 … n-1, whose classes are `labels`, to clients: element k holds the indices of client k's shard.
 * Every index appears exactly once over all shards.
 */
export type PartitionScheme = (
  labels: ArrayLike<number>,
  options: PartitionOptions,
) => readonly Uint32Array[];

/** Shuffled, then dealt one by one: every shard looks like the whole (the IID split of McMahan et al. 2017). */
const iid: PartitionScheme = (labels, { clients, seed }) =>
  deal(permutation(labels.length, randomStream(seed, 'partition', 'iid')), clients);

/** Client k takes examples k, k + K, k + 2K, … in the order of the file: `[rank::size]`, no randomness. */
const strided: PartitionScheme = (labels, { clients }) => deal(identity(labels.length), clients);

/** The schemes by name. A scheme that is added here is known to the command line and to the manifest. */
const SCHEMES = { iid, strided } as const satisfies Readonly<Record<string, PartitionScheme>>;

/** Name of a partition scheme. */
export type PartitionSchemeName = keyof typeof SCHEMES;

/** All names, in the order in which help shows them. */
export const partitionSchemeNames = Object.keys(SCHEMES) as readonly PartitionSchemeName[];

/**
 * Deals examples to clients by the named scheme.
 *
 * @throws {UsageError} when there are fewer examples than clients, or fewer than one client.
 */
export function partition(
  labels: ArrayLike<number>,
  { scheme, ...options }: PartitionOptions & { readonly scheme: PartitionSchemeName },
): readonly Uint32Array[] {
  const { clients } = options;
  if (!Number.isSafeInteger(clients) || clients < 1) {
    throw new UsageError(`Expected at least 1 client to deal examples to, found ${clients}.`);
  }
  if (clients > labels.length) {
    throw new UsageError(
      `Expected at most ${labels.length} clients for ${labels.length} training examples (one each), found ${clients}.`,
    );
  }
  return SCHEMES[scheme](labels, options);
}

/** Examples set aside for testing, and the rest; both ascending, together all of 0 … n-1. */
export interface HoldOut {
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

/** The numbers 0 … count-1. */
export function identity(count: number): Uint32Array {
  const indices = new Uint32Array(count);
  for (let index = 0; index < count; index++) indices[index] = index;
  return indices;
}

/** Deals like cards, so that hands differ by one at most. */
function deal(order: Uint32Array, clients: number): readonly Uint32Array[] {
  return Array.from({ length: clients }, (_, client) => {
    const hand = new Uint32Array(Math.ceil((order.length - client) / clients));
    for (let at = 0; at < hand.length; at++) hand[at] = order[client + at * clients] as number;
    return hand;
  });
}
