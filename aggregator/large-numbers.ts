/**
 * The numbers of large models, read where they lie and when they are needed: what is wrong with an update's, and a piece
 * of the next model. Any thread can do either.
 */
import { sizeOf, type WeightArray } from '../lib/core/weights.js';
import { createUsableCheck } from '../lib/federation/client-update.js';
import type { Strategy, WeightedUpdate } from '../lib/federation/strategies/strategy.js';
import type { Measuring } from '../lib/federation/update-measures.js';
import { type ByteSource, readAgain } from '../lib/formats/files/byte-source.js';
import { isPlaced, KERAS_FILE, type PlacedArray } from '../lib/formats/keras/keras-file.js';

/** Numbers of a piece: its sums, of 16 bytes each, stay in a processor's cache. */
const PIECE = 1 << 17;

/** A file whose numbers are read when they are needed. */
export interface NumbersFile {
  readonly file: string;
  readonly identity: string;
  /** Large arrays without values, unless they have no place in the file; small ones have none. */
  readonly weights: readonly (WeightArray | PlacedArray)[];
}

/** An update that counts. */
export interface LargeUpdate extends NumbersFile, Omit<WeightedUpdate, 'weights'> {}

/** Numbers of one array. */
export interface ArrayPiece {
  /** Which array of the model. */
  readonly index: number;
  readonly from: number;
  readonly count: number;
}

/** An array cut into pieces. */
export function* arrayPieces({ shape }: Pick<WeightArray, 'shape'>, index: number): Generator<ArrayPiece> {
  const length = sizeOf(shape);
  for (let from = 0; from < length; from += PIECE)
    yield { index, from, count: Math.min(PIECE, length - from) };
}

/** Where numbers of the global model and of updates go when they are read: those of one are gone when the next is asked for. */
const [own, others] = [new Float32Array(PIECE), new Float32Array(PIECE)];

/**
 * Why the numbers of an update cannot be used; null where they can. `measuring` sees them beside those of the global model.
 *
 * @throws {DataError} when one of the files was changed meanwhile, or cannot be read
 */
export function examineNumbers(
  update: NumbersFile,
  { global, measuring }: { readonly global: NumbersFile; readonly measuring: Measuring | undefined },
): string | null {
  const check = createUsableCheck();
  let unusable: string | null = null;
  reading(global, (origin) =>
    reading(update, (source) => {
      for (const [index, array] of update.weights.entries()) {
        for (const piece of arrayPieces(array, index)) {
          const values = numbersAt(array, piece, { source, into: others });
          unusable ??= check.add(array.name, values, piece.from);
          measuring?.add(
            values,
            numbersAt(global.weights[index] as WeightArray, piece, { source: origin, into: own }),
          );
        }
        measuring?.endArray();
      }
    }),
  );
  return unusable ?? check.end();
}

/** What a piece of the next model is made of. */
export interface PieceMeans {
  readonly strategy: Strategy;
  readonly global: NumbersFile;
  /** Those that count. */
  readonly updates: readonly LargeUpdate[];
  /** The round that they belong to. */
  readonly round: number;
  /** Layers that stay as they are. */
  readonly frozen: readonly string[];
}

/** A piece of the next model; one at a time. @throws {DataError} when a file was changed meanwhile, or cannot be read */
export async function averagePiece(
  piece: ArrayPiece,
  { strategy, global, updates, round, frozen }: PieceMeans,
): Promise<Float32Array> {
  const array = global.weights[piece.index] as WeightArray;
  const { name } = array;
  const isFrozen = frozen.some((layer) => name.startsWith(`${layer}/`));
  const shape = [piece.count];
  const from = strategy.needsGlobal || isFrozen ? [numbersIn(piece, global, own)] : [];
  const state = { round, weights: from.map((values) => ({ name, shape, values })) };
  function* numbers(): Generator<WeightedUpdate> {
    for (const update of updates)
      yield { ...update, weights: [{ name, shape, values: numbersIn(piece, update, others) }] };
  }
  const made = isFrozen ? state : await strategy.aggregate(state, numbers());
  return (made.weights[0] as WeightArray).values;
}

/** Lets `use` read in a file that was looked at before. */
function reading<T>({ file, identity }: NumbersFile, use: (source: ByteSource) => T): T {
  return readAgain(file, { what: KERAS_FILE, identity }, use);
}

/** The numbers of a piece of a file that is not open. */
function numbersIn(piece: ArrayPiece, file: NumbersFile, into: Float32Array<ArrayBuffer>): Float32Array {
  const array = file.weights[piece.index] as WeightArray;
  if (!isPlaced(array)) return array.values.subarray(piece.from, piece.from + piece.count);
  return reading(file, (source) => numbersAt(array, piece, { source, into }));
}

/** The numbers of a piece of an array. */
function numbersAt(
  array: WeightArray,
  { from, count }: ArrayPiece,
  { source, into }: { readonly source: ByteSource; readonly into: Float32Array<ArrayBuffer> },
): Float32Array {
  if (!isPlaced(array)) return array.values.subarray(from, from + count);
  const bytes = Float32Array.BYTES_PER_ELEMENT;
  source.read(new Uint8Array(into.buffer, 0, count * bytes), array.place + from * bytes);
  return into.subarray(0, count);
}
