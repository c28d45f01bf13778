/** How many clients of a round have to report, and whether they still can; apart from their selection, which no help has to load. */
import { ThresholdError } from '../core/errors.js';

/** Fewest valid updates that a round goes on with: a number, or a share of its selected clients. */
export type Quorum = { readonly count: number } | { readonly share: number };

/** A selected client whose update did not come, and why. */
export interface MissingClient {
  readonly client: number;
  readonly reason: string;
}

/** Products of decimal shares and counts lie so close to the whole number that is meant: 0.07 × 100 is 7.000000000000001. */
export const ROUNDING = 1e-9;

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
  throw new ThresholdError(
    `Round ${round} misses its quorum: ${quorum} of ${selected.length} selected clients have to report, ` +
      `and ${missing.length} cannot any more: ${listMissing(missing)}.`,
  );
}

/** Missing clients with their reasons, as errors name them. */
export function listMissing(missing: readonly MissingClient[]): string {
  const named = missing.slice(0, NAMED_CLIENTS).map(({ client, reason }) => `client ${client} (${reason})`);
  const more = missing.length > named.length ? ` and ${missing.length - named.length} more` : '';
  return `${named.join(', ')}${more}`;
}
