/**
 * Few labels per client: the "quantity-based label imbalance" (#C = c) of NIID-Bench (Li et al. 2022), the same with
 * shards of very different sizes as in FedProx (Li et al. 2020), and the pathological split of McMahan et al. 2017
 * (arXiv 1602.05629, section 3), which deals label-sorted pieces.
 */
import { UsageError } from '../../core/errors.js';
import { permutation, type RandomStream, shuffle } from '../../core/random.js';
import { cutBySizes, cutEvenly, groupByLabel, join, sharesOfLogs, wholeParts } from './dealing.js';

/** What the scheme is told. */
interface LabelSkewOptions {
  readonly clients: number;
  /** Labels that each client holds, c. */
  readonly labelsPerClient: number;
  readonly random: RandomStream;
}

/**
 * Gives each client exactly c labels, and divides each label's examples evenly among its holders. Labels are drawn
 * like cards from shuffled decks: every label has a holder, and the numbers of holders differ by one at most (in
 * NIID-Bench they vary more: client k holds label k mod L, its others are drawn freely).
 *
 * @throws {UsageError} when a client would hold more labels than there are, a label would have no holder, or a label
 *   has fewer examples than holders
 */
export function labelSkew(labels: ArrayLike<number>, options: LabelSkewOptions): readonly Uint32Array[] {
  return dealToHolders(labels, { ...options, fewest: 1, cut: cutEvenly });
}

/** Keeps σ times a normal number finite; with it, and above it, one holder has everything. */
const LARGEST_SIGMA = 1e100;

/** What the scheme is told. */
interface PowerLawOptions extends LabelSkewOptions {
  /** σ of the log-normal numbers: 0 would make all shards of a label alike, with 2 a few clients hold most of it. */
  readonly sigma: number;
  /** What every client gets, alike of each of its labels, before the rest is shared out. */
  readonly minExamples: number;
}

/**
 * Gives each client exactly c labels as `labelSkew` does, and of each an equal minimum; divides the rest of a label's
 * examples among its holders in the proportion of log-normal numbers: the "power law" with 2 classes a client of
 * FedProx's experiments (Li et al. 2020, arXiv 1812.06127, section 5.1), as its code makes it with σ = 2 and 10 examples
 * at least. (There client k holds the labels k and k + 1 mod 10, and what is left over by rounding is dropped.)
 *
 * @throws {UsageError} as `labelSkew` does
 */
export function powerLaw(
  labels: ArrayLike<number>,
  { sigma, minExamples, ...options }: PowerLawOptions,
): readonly Uint32Array[] {
  const fewest = Math.max(1, Math.ceil(minExamples / options.labelsPerClient));
  const scale = Math.min(sigma, LARGEST_SIGMA);
  const draw = () => scale * options.random.normal();
  return dealToHolders(labels, {
    ...options,
    fewest,
    cut: (indices, holders) => {
      const shares = sharesOfLogs(Float64Array.from({ length: holders }, draw));
      return cutBySizes(
        indices,
        wholeParts(shares, indices.length - holders * fewest).map((size) => size + fewest),
      );
    },
  });
}

/** Gives each client c labels, and cuts the shuffled examples of each label into a piece for each of its holders. */
function dealToHolders(
  labels: ArrayLike<number>,
  {
    fewest,
    cut,
    ...options
  }: LabelSkewOptions & {
    /** Examples of a label that each of its holders gets at least. */
    readonly fewest: number;
    readonly cut: (indices: Uint32Array, holders: number) => readonly Uint32Array[];
  },
): readonly Uint32Array[] {
  const { clients, labelsPerClient, random } = options;
  const groups = groupByLabel(labels);
  refuseImpossible(groups.length, options);
  const holders = drawHolders(groups.length, options);
  const hands: Uint32Array[][] = Array.from({ length: clients }, () => []);
  for (const [group, indices] of groups.entries()) {
    const holding = holders[group] ?? [];
    if (holding.length * fewest > indices.length) {
      throw new UsageError(
        `Cannot give ${labelsPerClient} labels to each of ${clients} clients: label ${labels[indices[0] ?? 0]} has ` +
          `${indices.length} training examples for ${holding.length} clients that would hold it` +
          `${fewest > 1 ? `, at least ${fewest} each` : ''}.`,
      );
    }
    const pieces = cut(shuffle(indices, random), holding.length);
    for (const [at, client] of holding.entries()) hands[client]?.push(pieces[at] as Uint32Array);
  }
  return hands.map(join);
}

type Wanted = Pick<LabelSkewOptions, 'clients' | 'labelsPerClient'>;

function refuseImpossible(labels: number, { clients, labelsPerClient }: Wanted): void {
  if (labelsPerClient > labels) {
    throw new UsageError(
      `Expected at most ${labels} labels per client, as many as the training examples have, found ${labelsPerClient}.`,
    );
  }
  if (clients * labelsPerClient < labels) {
    throw new UsageError(
      `Cannot place ${labels} labels on ${clients} clients with ${labelsPerClient} each: only ` +
        `${clients * labelsPerClient} labels would have a holder. Raise --labels-per-client or the number of clients.`,
    );
  }
}

/** Element l lists the clients that hold the l-th label. */
function drawHolders(
  labels: number,
  { clients, labelsPerClient, random }: LabelSkewOptions,
): readonly (readonly number[])[] {
  const holders: number[][] = Array.from({ length: labels }, () => []);
  let deck: number[] = [];
  for (let client = 0; client < clients; client++) {
    const hand = deck.splice(0, labelsPerClient);
    if (hand.length < labelsPerClient) {
      // The rest of the hand comes from a new deck, and must be of other labels.
      const fresh = [...permutation(labels, random)];
      const missing = labelsPerClient - hand.length;
      const held = new Set(hand);
      const others = new Set(fresh.filter((label) => !held.has(label)).slice(0, missing));
      deck = fresh.filter((label) => !others.has(label));
      for (const label of others) hand.push(label);
    }
    for (const label of hand) holders[label]?.push(client);
  }
  return holders;
}

/** What the scheme is told. */
interface PathologicalOptions {
  readonly clients: number;
  /** 2 in the paper: 200 pieces of 300 for 100 clients on MNIST. */
  readonly piecesPerClient: number;
  readonly random: RandomStream;
}

/**
 * Sorts the examples by label, cuts them into clients × pieces pieces whose sizes differ by one at most, and deals
 * these at random. A piece holds one label, or two where a label ends within it.
 *
 * @throws {UsageError} when there are more pieces than examples
 */
export function pathological(
  labels: ArrayLike<number>,
  { clients, piecesPerClient, random }: PathologicalOptions,
): readonly Uint32Array[] {
  const count = clients * piecesPerClient;
  if (count > labels.length) {
    throw new UsageError(
      `Cannot deal ${piecesPerClient} pieces to each of ${clients} clients: that takes ${count} pieces of at least ` +
        `1 example, and there are ${labels.length} training examples. Lower --pieces-per-client.`,
    );
  }
  const pieces = cutEvenly(join(groupByLabel(labels)), count);
  const order = permutation(count, random);
  return Array.from({ length: clients }, (_, client) => {
    const hand = order.subarray(client * piecesPerClient, (client + 1) * piecesPerClient);
    return join(Array.from(hand, (piece) => pieces[piece] as Uint32Array));
  });
}
