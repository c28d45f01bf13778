/** The server's state around one aggregation: read where an earlier round left it, checked, written for the next. */
import { DataError, UsageError } from '../lib/federation/errors.js';
import type { ServerState, Slots, Strategy } from '../lib/federation/strategies/strategy.js';
import { compareArchitecture } from '../lib/federation/validate-update.js';
import { isStatistic, type Weights } from '../lib/federation/weights.js';
import { sha256, writeFileAtomic } from '../lib/formats/atomic-file.js';
import { encodeServerState, readServerState } from '../lib/formats/server-state-file.js';

/** The global model that a round starts from. */
export interface RoundStart {
  readonly round: number;
  /** Undefined where no strategy needs it and none was named. */
  readonly parent: { readonly file: string; readonly weights: Weights; readonly sha256: string } | undefined;
}

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
  if (strategy.slots.length === 0 && given !== undefined) {
    throw new UsageError(`${given} does not go with the strategy ${strategy.name}, which keeps no state.`);
  }
  if (strategy.needsGlobal && parent === undefined) {
    throw new UsageError(
      `The strategy ${strategy.name} starts from the global model of the round: name it with --parent.`,
    );
  }
}

/**
 * The state that a round starts from.
 *
 * @throws {DataError} when the file of the state belongs to another strategy or another global model
 */
export async function startState(
  strategy: Strategy,
  { round, parent }: RoundStart,
  stateIn: string | undefined,
): Promise<ServerState> {
  const start = { round, weights: parent?.weights ?? [] };
  if (stateIn === undefined || parent === undefined) return start;
  const state = await readServerState(stateIn);
  const fault = (expected: string, found: string) => new DataError({ file: stateIn, expected, found });
  if (state.strategy !== strategy.name) {
    throw fault(`the state of the strategy ${strategy.name}`, `that of ${state.strategy}`);
  }
  if (state.model !== parent.sha256) {
    throw fault(
      `the state that belongs to ${parent.file} (sha256 ${parent.sha256.slice(0, 12)}…)`,
      `that of another global model (${state.model.slice(0, 12)}…)`,
    );
  }
  checkSlots(state.slots, strategy, { parent: parent.weights, fault });
  return { ...start, slots: state.slots };
}

/** Writes the state of `next`, whose model's file has the hash `model`; returns the sha256 of its file. */
export async function writeState(
  stateOut: string,
  strategy: Strategy,
  { next, model }: { readonly next: ServerState; readonly model: string },
): Promise<string> {
  const { round, slots = {} } = next;
  const bytes = await encodeServerState({ strategy: strategy.name, round, model, slots });
  await writeFileAtomic(stateOut, bytes);
  return sha256(bytes);
}

interface SlotChecks {
  readonly parent: Weights;
  readonly fault: (expected: string, found: string) => DataError;
}

function checkSlots(slots: Slots, strategy: Strategy, { parent, fault }: SlotChecks): void {
  const trainable = parent.filter(({ name }) => !isStatistic(name));
  for (const slot of strategy.slots) {
    const arrays = slots[slot];
    if (arrays === undefined) throw fault(`a slot ${slot}`, Object.keys(slots).join(', ') || 'none');
    const difference = compareArchitecture(arrays, trainable);
    if (difference !== null)
      throw fault(`the trainable arrays of the model in slot ${slot}`, `that it ${difference}`);
  }
}
