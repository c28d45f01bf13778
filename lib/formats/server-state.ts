/** The server's state around one aggregation: read where an earlier round left it, checked, written for the next. */
import { abbreviatedHash, DataError } from '../core/errors.js';
import { isStatistic, type Weights } from '../core/weights.js';
import { compareArchitecture, whyUnusable } from '../federation/client-update.js';
import type { ServerState, Slots, Strategy } from '../federation/strategies/strategy.js';
import { writeFileAtomic } from './files/atomic-file.js';
import { sha256 } from './files/read-file.js';
import { frameOf, frozenLayers, type KerasFrame } from './keras/keras-file.js';
import { encodeKerasFile, formatOf } from './keras/keras-hdf5.js';
import { encodeServerState, readServerState } from './server-state-file.js';

/** The global model that a round starts from. */
interface RoundStart {
  readonly round: number;
  /** Undefined where no strategy needs it and none was named. */
  readonly parent: { readonly file: string; readonly weights: Weights; readonly sha256: string } | undefined;
}

/**
 * The state that a round starts from.
 *
 * @throws {DataError} when the file of the state belongs to another strategy or another global model
 */
export async function startState(
  strategy: Pick<Strategy, 'name' | 'slots' | 'keepsClip'>,
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
      `the state that belongs to ${parent.file} (sha256 ${abbreviatedHash(parent.sha256)})`,
      `that of another global model (${abbreviatedHash(state.model)})`,
    );
  }
  checkSlots(state.slots, strategy, { parent: parent.weights, fault });
  const { slots, lastRounds, clip } = state;
  if (strategy.keepsClip && !(clip !== undefined && clip > 0 && Number.isFinite(clip)))
    throw fault('the norm that updates are clipped to', `${clip ?? 'none'}`);
  return {
    ...start,
    slots,
    ...(lastRounds === undefined ? {} : { lastRounds }),
    ...(strategy.keepsClip ? { clip } : {}),
  };
}

/** What a strategy made, and where it goes. */
interface NextGlobal {
  readonly strategy: Strategy;
  readonly next: ServerState;
  /** The weights that the round started from, where they are known. */
  readonly from: Weights;
  /** A model file with the architecture and the scale of the next one. */
  readonly like: KerasFrame;
  readonly saveFile: string;
  /** Where the server optimizer's state goes. */
  readonly stateOut?: string | undefined;
  /** Counts what is told by writing them: called when that is certain, and before anybody can see them. */
  readonly count?: ((model: string) => Promise<void>) | undefined;
}

/** The sha256 of the files that were written. */
interface WrittenGlobal {
  readonly sha256: string;
  readonly state?: string;
}

/**
 * Writes the next global model, and the server's state that belongs to it; neither where a later round could not go on from
 * them.
 *
 * @throws {DataError} when nothing can be computed with the model or the state
 * @throws {StorageError} when the disk refuses
 */
export async function writeGlobal({
  strategy,
  next,
  from,
  like,
  saveFile,
  stateOut,
  count,
}: NextGlobal): Promise<WrittenGlobal> {
  checkUsable(next, { strategy, saveFile });
  const weights = withFrozen(next.weights, { from, layers: frozenLayers(like.modelConfig) });
  const bytes = await encodeKerasFile({ ...frameOf(like), weights }, formatOf(saveFile));
  const model = sha256(bytes);
  await count?.(saveFile);
  const { round, slots = {}, lastRounds, clip } = next;
  let state: string | undefined;
  if (stateOut !== undefined) {
    // The state first: a model whose state is missing could not be resumed.
    const stateBytes = await encodeServerState({
      strategy: strategy.name,
      round,
      model,
      slots,
      lastRounds,
      clip,
    });
    await writeFileAtomic(stateOut, stateBytes);
    state = sha256(stateBytes);
  }
  await writeFileAtomic(saveFile, bytes);
  return { sha256: model, ...(state === undefined ? {} : { state }) };
}

/** The weights of frozen layers as they were, whatever a strategy or its noise makes of what clients sent. */
export function withFrozen(
  weights: Weights,
  { from, layers }: { readonly from: Weights; readonly layers: readonly string[] },
): Weights {
  if (layers.length === 0) return weights;
  return weights.map((array, index) => {
    const isFrozen = layers.some((layer) => array.name.startsWith(`${layer}/`));
    return (isFrozen ? from[index] : undefined) ?? array;
  });
}

function checkUsable(
  { weights, slots = {} }: ServerState,
  { strategy, saveFile }: Pick<NextGlobal, 'strategy' | 'saveFile'>,
): void {
  for (const [what, values] of [['the model', weights], ...Object.entries(slots)] as const) {
    const reason = whyUnusable(values);
    if (reason === null) continue;
    throw unusableGlobal(`${what} ${reason}`, { strategy, saveFile });
  }
}

/** What is said of a result that no round can start from. */
export function unusableGlobal(
  reason: string,
  { strategy, saveFile }: Pick<NextGlobal, 'strategy' | 'saveFile'>,
): DataError {
  return new DataError({
    file: saveFile,
    expected: `a global model that the next round can start from, made by ${strategy.name}`,
    found: `that ${reason} (not written; lower the learning rates, or leave out what is too large with --clip-norm)`,
  });
}

interface SlotChecks {
  readonly parent: Weights;
  readonly fault: (expected: string, found: string) => DataError;
}

function checkSlots(slots: Slots, strategy: Pick<Strategy, 'slots'>, { parent, fault }: SlotChecks): void {
  const trainable = parent.filter(({ name }) => !isStatistic(name));
  for (const slot of strategy.slots) {
    const arrays = slots[slot];
    if (arrays === undefined) throw fault(`a slot ${slot}`, Object.keys(slots).join(', ') || 'none');
    const difference = compareArchitecture(arrays, trainable);
    if (difference !== null)
      throw fault(`the trainable arrays of the model in slot ${slot}`, `that it ${difference}`);
  }
}
