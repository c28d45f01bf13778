/** Who takes part in a round: how many clients are selected and which ones, how many have to report, and whether they still can. */

import { ThresholdError } from '../core/errors.js';
import { permutation, randomStream } from '../core/random.js';

/** How the clients of a round are chosen. */
export interface Selection {
  /** Number of clients in the run, K. */
  readonly clients: number;
  /** Share of them that a round selects, C: above 0, up to 1. */
  readonly fraction: number;
  /** Fewest clients that a round selects, whatever the fraction comes to. */
  readonly minClients: number;
}

/** Products of decimal shares and counts lie so close to the whole number that is meant: 0.07 × 100 is 7.000000000000001. */
const ROUNDING = 1e-9;

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

/** Fewest valid updates that a round goes on with: a number, or a share of its selected clients. */
export type Quorum = { readonly count: number } | { readonly share: number };

/** A selected client whose update did not come, and why. */
export interface MissingClient {
  readonly client: number;
  readonly reason: string;
}

/** Clients that an error names with their reasons, at most. */
const NAMED_CLIENTS = 5;

/** Updates that a quorum asks for in a round of `selected` clients; at least 1. */
export function requiredUpdates(quorum: Quorum, selected: number): number {
  return 'count' in quorum ? quorum.count : Math.max(1, Math.ceil(quorum.share * selected - ROUNDING));
}

/** `8` is a number of updates; `0.8` and `80%` are shares, so that `1` is one update and `1.0` all. */
export function parseQuorum(text: string): Quorum | undefined {
  const [, digits = '', percent] = /^(\d+(?:\.\d+)?|\.\d+)(%?)$/.exec(text.trim()) ?? [];
  if (digits === '') return undefined;
  const isShare = percent === '%' || digits.includes('.');
  const value = percent === '%' ? Number(digits) / 100 : Number(digits);
  if (!(value > 0) || (isShare && value > 1)) return undefined;
  return isShare ? { share: value } : { count: value };
}

/**
 * Whether a round can still come to its quorum.
 *
 * @throws {ThresholdError} when so many clients are missing that it cannot: with who is, and why
 */
export function requireQuorum(state: {
  readonly round: number;
  readonly selected: readonly number[];
  readonly missing: readonly MissingClient[];
  readonly quorum: number;
}): void {
  const { round, selected, missing, quorum } = state;
  if (selected.length - missing.length >= quorum) return;
  const named = missing.slice(0, NAMED_CLIENTS).map(({ client, reason }) => `client ${client} (${reason})`);
  const more = missing.length > named.length ? ` and ${missing.length - named.length} more` : '';
  throw new ThresholdError(
    `Round ${round} misses its quorum: ${quorum} of ${selected.length} selected clients have to report, ` +
      `and ${missing.length} cannot any more: ${named.join(', ')}${more}.`,
  );
}
