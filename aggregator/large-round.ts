/**
 * A round of large models: their numbers stay in the files. Each update is looked at once, for what is wrong with it;
 * then the model is averaged in pieces of its arrays, each read from one update after the other, every other piece by a
 * second thread. What is in memory does not grow with the model, nor with the number of updates, and the result has the
 * same bytes.
 */
import { setImmediate as turn } from 'node:timers/promises';
import { sizeOf, type WeightArray, type Weights } from '../lib/core/weights.js';
import { createUsableCheck } from '../lib/federation/client-update.js';
import type {
  ServerState,
  Strategy,
  Updates,
  WeightedUpdate,
} from '../lib/federation/strategies/strategy.js';
import { beginMeasuring, type createUpdateMeter, type Measured } from '../lib/federation/update-measures.js';
import { type OpenFile, sha256OfSource, withOpenFile } from '../lib/formats/files/byte-source.js';
import { LARGE_ARRAY_BYTES } from '../lib/formats/hdf5/hdf5-library.js';
import { frameOf, frozenLayers, isPlaced, KERAS_FILE, NO_VALUES } from '../lib/formats/keras/keras-file.js';
import { readKerasFrom, writeLargeKerasFile } from '../lib/formats/keras/keras-hdf5.js';
import { unusableGlobal, withFrozen } from '../lib/formats/server-state.js';
import { availableCores } from '../lib/system/hardware.js';
import type { RoundParent } from './admission.js';
import {
  type ArrayPiece,
  arrayPieces,
  averagePiece,
  examineNumbers,
  type LargeUpdate,
  type NumbersFile,
} from './large-numbers.js';
import {
  type LargeAnswer,
  type LargeSetup,
  type LargeTask,
  type LargeThread,
  startLargeThread,
} from './large-thread.js';

/** Files from this size on are averaged in pieces: the sums of smaller ones, which take four times as much, stay in memory. */
const LARGE_FILE_BYTES = 8e6;

type Meter = ReturnType<typeof createUpdateMeter>;

/** What was found out about an update while it was read. */
interface Examined extends NumbersFile {
  readonly unusable: string | null;
  readonly measured: Measured | undefined;
}

/** Where the result goes. */
interface LargeResult {
  readonly strategy: Strategy;
  /** The state before the round. */
  readonly state: ServerState;
  /** What the strategy has made of the small arrays. */
  readonly next: ServerState;
  readonly saveFile: string;
  readonly signal?: AbortSignal | undefined;
}

/** A round whose models stay in their files. */
export interface LargeRound {
  readonly parent: RoundParent;
  /** Looks at the numbers of an update. @throws {DataError} when the global model has changed meanwhile */
  examine(weights: Weights, from: { readonly file: string; readonly source: OpenFile }): Promise<void>;
  /** Why weights that were examined cannot be used. */
  whyUnusable(weights: Weights): string | null;
  /** The small arrays of the updates, which are counted by the meter as they pass. */
  pass(updates: Updates, meter: Meter | undefined): AsyncGenerator<WeightedUpdate>;
  /** The state's small arrays. */
  smallOf(state: ServerState): ServerState;
  /**
   * Writes the next global model.
   *
   * @throws {DataError} when nothing can be computed with it, or a file was changed meanwhile
   * @throws {StorageError} when the disk refuses
   */
  write(result: LargeResult): Promise<{ readonly sha256: string }>;
  close(): Promise<void>;
}

const isLarge = ({ shape }: Pick<WeightArray, 'shape'>) =>
  sizeOf(shape) * Float32Array.BYTES_PER_ELEMENT >= LARGE_ARRAY_BYTES;

const isInFile = ({ weights }: NumbersFile) => weights.every((array) => !isLarge(array) || isPlaced(array));

/** Of which strategy its thread makes the same. */
type Made = Pick<LargeSetup, 'settings' | 'facts'>;

/** The round that starts from a global model; undefined where that is small, or not told. @throws {DataError} when it is no model */
export async function openLargeRound(file: string | undefined, made: Made): Promise<LargeRound | undefined> {
  if (file === undefined) return undefined;
  return withOpenFile(file, KERAS_FILE, async (source) => {
    if (source.sizeBytes < LARGE_FILE_BYTES) return undefined;
    const sha256 = sha256OfSource(source);
    const model = await readKerasFrom(source, file, { isPlaced: true });
    return largeRound({ file, model, sha256 }, source.identity, made);
  });
}

function largeRound(parent: RoundParent, identity: string, made: Made): LargeRound {
  const { weights } = parent.model;
  const global: NumbersFile = { file: parent.file, identity, weights };
  const frozen = frozenLayers(parent.model.modelConfig);
  const examined = new WeakMap<Weights, Examined>();
  const counted: LargeUpdate[] = [];
  let meter: Meter | undefined;
  let thread: LargeThread | undefined;

  const facts = (of: Weights): Examined => {
    const found = examined.get(of);
    if (found === undefined) throw new Error('a large update was not looked at');
    return found;
  };

  /** What another thread answers; undefined where it is busy, or there is no core for it, or what it needs is not in files. */
  const asked = (task: LargeTask, files: readonly NumbersFile[]): Promise<LargeAnswer> | undefined => {
    if (availableCores() < 2 || ![global, ...files].every(isInFile)) return undefined;
    thread ??= startLargeThread({ ...made, global, frozen });
    return thread.ask(task);
  };

  return {
    parent,
    async examine(arrays, { file, source }) {
      const update = { file, identity: source.identity, weights: arrays };
      const answer = await asked({ kind: 'examine', update, measure: meter?.plan }, [update]);
      const here = () => {
        const measuring = meter && beginMeasuring(meter.plan);
        const unusable = examineNumbers(update, { global, measuring });
        return { unusable, measured: measuring?.end() };
      };
      const { unusable, measured } = answer?.kind === 'examined' ? answer : here();
      const kept = arrays.map((array) => (isLarge(array) ? array : { ...array, values: NO_VALUES }));
      examined.set(arrays, { ...update, weights: kept, unusable, measured });
    },
    whyUnusable: (of) => facts(of).unusable,
    async *pass(updates, by) {
      meter = by;
      for await (const { weights: arrays, ...update } of updates) {
        const { unusable: _, measured, ...numbers } = facts(arrays);
        if (measured !== undefined) meter?.count(measured, update);
        counted.push({ ...update, ...numbers });
        yield { ...update, weights: arrays.filter((array) => !isLarge(array)) };
      }
    },
    smallOf: (state) => ({ ...state, weights: state.weights.filter((array) => !isLarge(array)) }),
    async write({ strategy, state: { round }, next, saveFile, signal }) {
      const from = weights.filter((array) => !isLarge(array));
      const small = withFrozen(next.weights, { from, layers: frozen });
      const check = createUsableCheck();
      const requireUsable = (reason: string | null) => {
        if (reason !== null) throw unusableGlobal(`the model ${reason}`, { strategy, saveFile });
      };
      for (const { name, values } of small) requireUsable(check.add(name, values));
      const byName = new Map(small.map((array) => [array.name, array]));
      const arrays = weights.map((array) => byName.get(array.name) ?? { ...array, values: NO_VALUES });
      const sha256 = await writeLargeKerasFile(
        saveFile,
        { ...frameOf(parent.model), weights: arrays },
        async (writePart) => {
          const of = { updates: counted, round };
          const here = (piece: ArrayPiece) => averagePiece(piece, { ...of, strategy, global, frozen });
          const write = async (piece: ArrayPiece, values: Float32Array) => {
            const { name } = weights[piece.index] as WeightArray;
            requireUsable(check.add(name, values, piece.from));
            writePart(name, piece.from, values);
            // A signal, or a lock that wants to be kept, has its turn.
            await turn();
            signal?.throwIfAborted();
          };
          const pieces = weights.flatMap((array, index) =>
            isLarge(array) ? [...arrayPieces(array, index)] : [],
          );
          for (let at = 0; at < pieces.length; at += 2) {
            const [piece, next] = pieces.slice(at, at + 2) as [ArrayPiece, ArrayPiece?];
            const answer =
              next && asked({ kind: 'average', piece: next, of: at === 0 ? of : undefined }, counted);
            await write(piece, await here(piece));
            if (next === undefined) continue;
            const there = await answer;
            await write(next, there?.kind === 'averaged' ? there.values : await here(next));
          }
          requireUsable(check.end());
        },
      );
      return { sha256 };
    },
    close: async () => thread?.close(),
  };
}
