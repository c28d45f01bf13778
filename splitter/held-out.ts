/** What clients hold out: what they bring for that or, of the examples that they are dealt, a share that is asked for; of clients with two examples or more. */
import { UsageError } from '../lib/core/errors.js';
import { holdOutOfClient } from '../lib/federation/partition/client-holdout.js';
import type { Reporter } from '../lib/observability/events.js';

/** Which examples go into a client's shard, and which it holds out. */
export interface SplitPart {
  readonly indices: Uint32Array;
  readonly heldOut?: Uint32Array;
}

/** What is asked for. */
interface HoldoutOptions {
  /** Share of each client's examples; by default clients hold nothing out. */
  readonly clientHoldout?: number | undefined;
  readonly seed: number;
  /** Of all examples, where targets are labels. */
  readonly labels: Int32Array | undefined;
  /** By client, what it brings. */
  readonly brought?: readonly (Uint32Array | undefined)[] | undefined;
}

/** Takes what clients hold out of what they are dealt. @throws {UsageError} when no client has two examples */
export function withHeldOut(
  shards: readonly Uint32Array[],
  { clientHoldout: fraction, seed, labels, brought = [] }: HoldoutOptions,
): readonly SplitPart[] {
  if (fraction === undefined) return shards.map((indices) => ({ indices }));
  const parts = shards.map((indices, client): SplitPart => {
    const own = brought[client];
    if (own !== undefined) return { indices, heldOut: own };
    const { kept, held } = holdOutOfClient(indices, { labels, fraction, seed, client });
    return { indices: kept, ...(held.length === 0 ? {} : { heldOut: held }) };
  });
  if (parts.some(({ heldOut }) => heldOut)) return parts;
  throw new UsageError(
    `None of ${parts.length} clients can hold out ${fraction} of its examples: expected two or more with one client at ` +
      'least, found one with each.',
  );
}

/** Says how many clients hold nothing out, since they have one example. */
export function tellHoldout(
  shards: readonly SplitPart[],
  { clientHoldout, reporter }: Pick<HoldoutOptions, 'clientHoldout'> & { readonly reporter: Reporter },
): void {
  const without = shards.filter(({ heldOut }) => heldOut === undefined).length;
  if (clientHoldout === undefined || without === 0) return;
  reporter.warn(
    `Clients with a single example: ${without} of ${shards.length}. They train on it, hold nothing out and are not tested.`,
  );
}
