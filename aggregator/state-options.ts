/** Which options of the server's state go with which strategy. */
import { UsageError } from '../lib/core/errors.js';
import type { Strategy } from '../lib/federation/strategies/strategy.js';

/** Files of the server's state, as asked for. */
export interface StateFiles {
  /** What the round before left. */
  readonly stateIn?: string | undefined;
  /** Where what this round leaves goes. */
  readonly stateOut?: string | undefined;
}

/**
 * Refuses options that the strategy has no use for, or lacks.
 *
 * @throws {UsageError} naming the option
 */
export function checkStateOptions(
  strategy: Strategy,
  { stateIn, stateOut }: StateFiles,
  parent?: string,
): void {
  const given = stateIn !== undefined ? '--state-in' : stateOut !== undefined ? '--state-out' : undefined;
  if (strategy.slots.length === 0 && !strategy.keepsClip && given !== undefined) {
    throw new UsageError(`${given} does not go with the strategy ${strategy.name}, which keeps no state.`);
  }
  if (strategy.needsGlobal && parent === undefined) {
    throw new UsageError(
      `The strategy ${strategy.name} starts from the global model of the round: name it with --parent.`,
    );
  }
}
