/** The strategy's state between rounds: its options checked, and the state opened. */
import { UsageError } from '../lib/core/errors.js';
import type { ServerState, Strategy } from '../lib/federation/strategies/strategy.js';
import { startState } from '../lib/formats/server-state.js';
import type { Reporter } from '../lib/observability/events.js';
import type { RoundParent } from './admission.js';

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

interface OpenOptions {
  readonly round: number;
  readonly parent: RoundParent | undefined;
  /** What a server optimizer remembers. */
  readonly stateIn?: string | undefined;
  readonly reporter: Reporter;
}

/**
 * Reads the state; warns where a strategy with a memory has none after the first round.
 *
 * @throws {DataError} when the state is missing, damaged or of another round or model
 */
export async function openState(strategy: Strategy, options: OpenOptions): Promise<ServerState> {
  const { round, parent, stateIn, reporter } = options;
  const start = parent && { file: parent.file, weights: parent.model.weights, sha256: parent.sha256 };
  const state = await startState(strategy, { round, parent: start }, stateIn);
  if ((strategy.slots.length > 0 || strategy.keepsClip) && stateIn === undefined && round > 1) {
    reporter.warn(`${strategy.name} starts anew in round ${round}: no --state-in tells what it remembers.`);
  }
  return state;
}
