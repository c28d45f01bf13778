/**
 * A round of large models: their numbers stay in the files. Each update is looked at once, for what is wrong with it;
 * then the model is averaged in pieces of its arrays, each read from one update after the other. What is in memory does
 * not grow with the model, nor with the number of updates, and the result has the same bytes.
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
import type { createUpdateMeter, Measuring } from '../lib/federation/update-measures.js';
import {
  type ByteSource,
  type OpenFile,
  readAgain,
  sha256OfSource,
  withOpenFile,
} from '../lib/formats/files/byte-source.js';
import { requireHash } from '../lib/formats/files/read-file.js';
import { LARGE_ARRAY_BYTES } from '../lib/formats/hdf5/hdf5-library.js';
import { frameOf, frozenLayers, isPlaced, KERAS_FILE, NO_VALUES } from '../lib/formats/keras/keras-file.js';
import { readKerasFrom, writeLargeKerasFile } from '../lib/formats/keras/keras-hdf5.js';
import { unusableGlobal, withFrozen } from '../lib/formats/server-state.js';
import { ROUND_PARENT, type RoundParent } from './admission.js';

/** Files from this size on are averaged in pieces: the sums of smaller ones, which take four times as much, stay in memory. */
const LARGE_FILE_BYTES = 8e6;
/** Numbers of a piece: its sums, of 16 bytes each, stay in a processor's cache. */
const PIECE = 1 << 17;

type Meter = ReturnType<typeof createUpdateMeter>;

/** A file whose numbers are read when they are needed. */
interface NumbersFile {
  readonly file: string;
  readonly identity: string;
  /** Large arrays without values, unless they have no place in the file; small ones have none. */
  readonly weights: Weights;
}

/** What was found out about an update while it was read. */
interface Examined extends NumbersFile {
  readonly unusable: string | null;
  readonly measured: ReturnType<Measuring['end']> | undefined;
}

/** An update that counts. */
interface LargeUpdate extends NumbersFile, Omit<WeightedUpdate, 'weights'> {}

/** Numbers of one array. */
interface Piece {
  /** Which array of the model. */
  readonly index: number;
  readonly from: number;
  readonly count: number;
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
  examine(weights: Weights, from: { readonly file: string; readonly source: OpenFile }): void;
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
}

const isLarge = ({ shape }: Pick<WeightArray, 'shape'>) =>
  sizeOf(shape) * Float32Array.BYTES_PER_ELEMENT >= LARGE_ARRAY_BYTES;

/** The round that starts from a global model; undefined where that is small, or not told. @throws {DataError} as `readParent` does */
export async function openLargeRound(
  file: string | undefined,
  known?: string,
): Promise<LargeRound | undefined> {
  if (file === undefined) return undefined;
  return withOpenFile(file, KERAS_FILE, async (source) => {
    if (source.sizeBytes < LARGE_FILE_BYTES) return undefined;
    const sha256 = sha256OfSource(source);
    requireHash(file, ROUND_PARENT, { known, found: sha256 });
    const model = await readKerasFrom(source, file, { isPlaced: true });
    return largeRound({ file, model, sha256 }, source.identity);
  });
}

function largeRound(parent: RoundParent, identity: string): LargeRound {
  const { weights } = parent.model;
  const global: NumbersFile = { file: parent.file, identity, weights };
  const examined = new WeakMap<Weights, Examined>();
  const counted: LargeUpdate[] = [];
  const [own, others] = [new Float32Array(PIECE), new Float32Array(PIECE)];
  let meter: Meter | undefined;

  const facts = (of: Weights): Examined => {
    const found = examined.get(of);
    if (found === undefined) throw new Error('a large update was not looked at');
    return found;
  };

  /** The updates' numbers of a piece: those of one are gone when the next one is asked for. */
  function* numbersOf(piece: Piece): Generator<WeightedUpdate> {
    for (const { file, identity: known, weights: arrays, ...update } of counted) {
      const array = arrays[piece.index] as WeightArray;
      const values = numbersIn(array, piece, { file, identity: known, into: others });
      yield { ...update, weights: [{ name: array.name, shape: [piece.count], values }] };
    }
  }

  return {
    parent,
    examine(arrays, { file, source }) {
      const check = createUsableCheck();
      const measuring = meter?.begin();
      let unusable: string | null = null;
      reading(global, (origin) => {
        for (const [index, array] of arrays.entries()) {
          for (const piece of piecesOf(array, index)) {
            const values = numbersAt(array, piece, { source, into: others });
            unusable ??= check.add(array.name, values, piece.from);
            measuring?.add(
              values,
              numbersAt(weights[index] as WeightArray, piece, { source: origin, into: own }),
            );
          }
        }
      });
      unusable ??= check.end();
      const kept = arrays.map((array) => (isLarge(array) ? array : { ...array, values: NO_VALUES }));
      examined.set(arrays, {
        file,
        identity: source.identity,
        weights: kept,
        unusable,
        measured: measuring?.end(),
      });
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
      const layers = frozenLayers(parent.model.modelConfig);
      const small = withFrozen(next.weights, { from: weights.filter((array) => !isLarge(array)), layers });
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
          for (const [index, array] of weights.entries()) {
            const { name } = array;
            const isFrozen = layers.some((layer) => name.startsWith(`${layer}/`));
            for (const piece of isLarge(array) ? piecesOf(array, index) : []) {
              const from =
                strategy.needsGlobal || isFrozen ? [numbersIn(array, piece, { ...global, into: own })] : [];
              const state = {
                round,
                weights: from.map((values) => ({ name, shape: [piece.count], values })),
              };
              const made = isFrozen ? state : await strategy.aggregate(state, numbersOf(piece));
              const { values } = made.weights[0] as WeightArray;
              requireUsable(check.add(name, values, piece.from));
              writePart(name, piece.from, values);
              // A signal, or a lock that wants to be kept, has its turn.
              await turn();
              signal?.throwIfAborted();
            }
          }
          requireUsable(check.end());
        },
      );
      return { sha256 };
    },
  };
}

/** An array cut into pieces. */
function* piecesOf({ shape }: WeightArray, index: number): Generator<Piece> {
  const length = sizeOf(shape);
  for (let from = 0; from < length; from += PIECE)
    yield { index, from, count: Math.min(PIECE, length - from) };
}

/** Lets `use` read in a file that was looked at before. */
function reading<T>({ file, identity }: Omit<NumbersFile, 'weights'>, use: (source: ByteSource) => T): T {
  return readAgain(file, { what: KERAS_FILE, identity }, use);
}

interface NumbersPlace {
  /** Where numbers that are read go: `PIECE` of them at least. */
  readonly into: Float32Array<ArrayBuffer>;
}

/** The numbers of a piece of an array whose file is not open. */
function numbersIn(
  array: WeightArray,
  piece: Piece,
  { into, ...file }: NumbersPlace & Omit<NumbersFile, 'weights'>,
): Float32Array {
  if (!isPlaced(array)) return array.values.subarray(piece.from, piece.from + piece.count);
  return reading(file, (source) => numbersAt(array, piece, { source, into }));
}

/** The numbers of a piece of an array. */
function numbersAt(
  array: WeightArray,
  { from, count }: Piece,
  { source, into }: NumbersPlace & { readonly source: ByteSource },
): Float32Array {
  if (!isPlaced(array)) return array.values.subarray(from, from + count);
  const bytes = Float32Array.BYTES_PER_ELEMENT;
  source.read(new Uint8Array(into.buffer, 0, count * bytes), array.place + from * bytes);
  return into.subarray(0, count);
}
