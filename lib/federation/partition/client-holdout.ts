/**
 * Which examples each client has, and what it sets aside of them for testing: a share of every label, drawn by a random
 * stream of the client.
 */
import { permutation, type RandomStream, randomStream, shuffle } from '../../core/random.js';
import { groupByLabel, identity } from './dealing.js';

/** A client's examples in two parts, each in the order in which they were dealt; together all of them. */
interface ClientHoldout {
  /** What it trains on: at least one. */
  readonly kept: Uint32Array;
  /** What it is tested on: at least one where there are two or more. */
  readonly held: Uint32Array;
}

/** Whose examples, how many of them, and with which chance. */
interface ClientHoldoutOptions {
  /** Of all examples, where targets are labels: each label gives up its share, to one example. */
  readonly labels: ArrayLike<number> | undefined;
  /** Above 0 and below 1. */
  readonly fraction: number;
  readonly seed: number;
  readonly client: number;
}

/** Sets a share of a client's examples aside. What other clients have changes nothing about it. */
export function holdOutOfClient(
  indices: Uint32Array,
  { labels, fraction, seed, client }: ClientHoldoutOptions,
): ClientHoldout {
  const { length } = indices;
  const count = length < 2 ? 0 : Math.min(length - 1, Math.max(1, Math.round(length * fraction)));
  const random = randomStream(seed, 'client-holdout', client);
  const groups =
    labels === undefined
      ? [identity(length)]
      : groupByLabel(Array.from(indices, (index) => labels[index] as number));
  const isHeld = new Uint8Array(length);
  for (const [group, quota] of quotas(groups, { count, of: length, random }).entries()) {
    const places = groups[group] as Uint32Array;
    for (const place of permutation(places.length, random).subarray(0, quota))
      isHeld[places[place] as number] = 1;
  }
  return {
    kept: indices.filter((_, place) => isHeld[place] === 0),
    held: indices.filter((_, place) => isHeld[place] === 1),
  };
}

/** How many of each group: its exact share rounded down, and one more where most is left over, by lot among equals. */
function quotas(
  groups: readonly Uint32Array[],
  { count, of, random }: { readonly count: number; readonly of: number; readonly random: RandomStream },
): readonly number[] {
  const exact = groups.map(({ length }) => (count * length) / of);
  const whole = exact.map(Math.floor);
  const left = count - whole.reduce((sum, each) => sum + each, 0);
  const rest = (group: number) => (exact[group] as number) - (whole[group] as number);
  const order = [...shuffle(identity(groups.length), random)].sort((a, b) => rest(b) - rest(a));
  for (const group of order.slice(0, left)) whole[group] = (whole[group] as number) + 1;
  return whole;
}

/** One list for each client. */
interface ClientLists {
  /** Indices of all clients' examples, one client after the other. */
  readonly indices: Int32Array;
  /** Client k's begin at element k and end before element k + 1. */
  readonly offsets: Int32Array;
}

/** Which of the training examples the clients have, client by client. */
export interface VirtualShards extends ClientLists {
  /** Those that they hold out, where they do; of some clients none. */
  readonly heldOut?: ClientLists;
}

/** The indices of one client's examples; a view. */
export function shardIndices({ indices, offsets }: ClientLists, client: number): Int32Array {
  return indices.subarray(offsets[client], offsets[client + 1]);
}

/** The indices of the examples that a client holds out; none where it holds nothing out. */
export function heldOutIndices({ heldOut }: VirtualShards, client: number): Int32Array {
  return heldOut === undefined ? new Int32Array(0) : shardIndices(heldOut, client);
}

/** Number of clients. */
export function virtualClients({ offsets }: ClientLists): number {
  return offsets.length - 1;
}
