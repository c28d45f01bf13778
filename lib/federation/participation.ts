/** Who takes part in a round: how many clients are selected and which ones. */
import { permutation, randomStream } from '../core/random.js';
import { ROUNDING } from './quorum.js';

/** How the clients of a round are chosen. */
export interface Selection {
  /** Number of clients in the run, K. */
  readonly clients: number;
  /** Share of them that a round selects, C: above 0, up to 1. */
  readonly fraction: number;
  /** Fewest clients that a round selects, whatever the fraction comes to. */
  readonly minClients: number;
}

/** Clients of each round, m = max(C·K, 1) in algorithm 1 of McMahan et al. 2017 (arXiv 1602.05629), C·K rounded. */
export function selectedCount({ clients, fraction, minClients }: Selection): number {
  return Math.min(clients, Math.max(shareOf(clients, fraction), minClients, 1));
}

/** C·K rounded: how many clients the fraction alone comes to, which may be nobody. */
export function shareOf(clients: number, fraction: number): number {
  return Math.round(fraction * clients + ROUNDING);
}

/** S_t, the clients of a round: a random set that depends on the seed and the round alone, in ascending order. */
export function selectClients(
  selection: Selection,
  { seed, round }: { readonly seed: number; readonly round: number },
): readonly number[] {
  const order = permutation(selection.clients, randomStream(seed, 'select', round));
  return [...order.subarray(0, selectedCount(selection)).sort()];
}
