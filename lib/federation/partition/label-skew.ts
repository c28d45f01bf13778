/**
 * Few labels per client: the "quantity-based label imbalance" (#C = c) of NIID-Bench (Li et al. 2022), and the
 * pathological split of McMahan et al. 2017 (arXiv 1602.05629, section 3), which deals label-sorted pieces.
 */
import { UsageError } from '../../core/errors.js';
import { permutation, type RandomStream, shuffle } from '../../core/random.js';
import { cutEvenly, groupByLabel, join } from './dealing.js';

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
export function labelSkew(
  labels: ArrayLike<number>,
  { clients, labelsPerClient, random }: LabelSkewOptions,
): readonly Uint32Array[] {
  const groups = groupByLabel(labels);
  refuseImpossible(groups.length, { clients, labelsPerClient });
  const holders = drawHolders(groups.length, { clients, labelsPerClient, random });
  const hands: Uint32Array[][] = Array.from({ length: clients }, () => []);
  for (const [group, indices] of groups.entries()) {
    const holding = holders[group] ?? [];
    if (holding.length > indices.length) {
      throw new UsageError(
        `Cannot give ${labelsPerClient} labels to each of ${clients} clients: label ${labels[indices[0] ?? 0]} has ` +
          `${indices.length} training examples for ${holding.length} clients that would hold it.`,
      );
    }
    const pieces = cutEvenly(shuffle(indices, random), holding.length);
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
