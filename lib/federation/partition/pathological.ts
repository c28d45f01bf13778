/** The pathological split of McMahan et al. 2017 (arXiv 1602.05629, section 3): a few label-sorted pieces each. */
import { UsageError } from '../../core/errors.js';
import { permutation, type RandomStream } from '../../core/random.js';
import { cutEvenly, groupByLabel, join } from './dealing.js';

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
