/** What the server holds when a round starts, from the files that the user named. */
import type { ServerState, Strategy } from '../lib/federation/strategies/strategy.js';
import { startState } from '../lib/formats/server-state.js';
import type { Reporter } from '../lib/observability/events.js';
import type { RoundParent } from './admitted-updates.js';

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
