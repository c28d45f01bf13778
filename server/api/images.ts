/** From numbers in a request to a batch of model inputs: nested lists of JSON, and bytes of a named type. */
import { formatShape, sizeOf } from '../../lib/federation/weights.js';
import type { ModelCard } from '../predictor.js';
import { HttpProblem } from '../problems.js';

/** Model inputs: `values` is `[count, h, w, c]`. */
export interface ImageBatch {
  readonly values: Float32Array;
  readonly count: number;
}

/** Grey levels that whole numbers stand for; engines scale stored `uint8` images the same way. */
const MAX_LEVEL = 255;

/**
 * A list of images as JSON gives them: each `[h][w][c]`, or flatter: `[h][w]` of one channel, or all values in a row.
 *
 * @throws {HttpProblem} 400 with what was expected and found
 */
export function imagesFromLists(list: unknown, { inputShape }: Pick<ModelCard, 'inputShape'>): ImageBatch {
  if (!Array.isArray(list) || list.length === 0) throw bad('a list of at least one image', describe(list));
  const size = sizeOf(inputShape);
  const values = new Float32Array(list.length * size);
  for (let index = 0; index < list.length; index++) {
    const end = fill(values, index * size, { value: list[index], limit: (index + 1) * size, depth: 1 });
    if (end === (index + 1) * size) continue;
    const found = end < 0 ? `more values` : `${end - index * size} values`;
    throw bad(`images of ${formatShape(inputShape)}, ${size} numbers each`, `${found} in image ${index}`);
  }
  return { values, count: list.length };
}

/** Largest 32-bit float. */
const MAX_FLOAT = 3.4028234663852886e38;

/** Lists within lists: an image has three dimensions; one thousand brackets are an attack on the stack. */
const MAX_DEPTH = 8;

interface Part {
  readonly value: unknown;
  /** Where the image ends. */
  readonly limit: number;
  /** Lists around this part. */
  readonly depth: number;
}

/** Writes the numbers of nested lists one after the other. Returns where they end, -1 where there are too many. */
function fill(target: Float32Array, at: number, { value, limit, depth }: Part): number {
  if (typeof value === 'number') {
    if (at >= limit) return -1;
    if (Math.abs(value) > MAX_FLOAT) throw bad('numbers that a 32-bit float holds', String(value));
    target[at] = value;
    return at + 1;
  }
  if (!Array.isArray(value)) throw bad('numbers', describe(value));
  if (depth > MAX_DEPTH) throw bad(`lists at most ${MAX_DEPTH} deep`, 'deeper ones');
  let end = at;
  for (let index = 0; index < value.length; index++) {
    const each: unknown = value[index];
    // Most parts are numbers: without a call for each.
    if (typeof each === 'number' && end < limit && Math.abs(each) <= MAX_FLOAT) target[end++] = each;
    else end = fill(target, end, { value: each, limit, depth: depth + 1 });
    if (end < 0) return -1;
  }
  return end;
}

/** How the bytes of a tensor are read; `isLevel` where its numbers are grey levels from 0 to 255. */
interface NumberType {
  readonly bytes: number;
  readonly isLevel: boolean;
  readonly read: (view: DataView, at: number) => number;
}

const NUMBER_TYPES = {
  FP32: { bytes: 4, isLevel: false, read: (view, at) => view.getFloat32(at, true) },
  FP64: { bytes: 8, isLevel: false, read: (view, at) => view.getFloat64(at, true) },
  UINT8: { bytes: 1, isLevel: true, read: (view, at) => view.getUint8(at) },
  INT8: { bytes: 1, isLevel: true, read: (view, at) => view.getInt8(at) },
  UINT16: { bytes: 2, isLevel: true, read: (view, at) => view.getUint16(at, true) },
  INT16: { bytes: 2, isLevel: true, read: (view, at) => view.getInt16(at, true) },
  UINT32: { bytes: 4, isLevel: true, read: (view, at) => view.getUint32(at, true) },
  INT32: { bytes: 4, isLevel: true, read: (view, at) => view.getInt32(at, true) },
  UINT64: { bytes: 8, isLevel: true, read: (view, at) => Number(view.getBigUint64(at, true)) },
  INT64: { bytes: 8, isLevel: true, read: (view, at) => Number(view.getBigInt64(at, true)) },
} as const satisfies Readonly<Record<string, NumberType>>;

/** Types of numbers that are taken, as the Open Inference Protocol calls them. */
export type NumberTypeName = keyof typeof NUMBER_TYPES;

/** Whether `name` is such a type. */
export function isNumberType(name: unknown): name is NumberTypeName {
  return typeof name === 'string' && Object.hasOwn(NUMBER_TYPES, name);
}

/** A tensor as a client declares it. */
export interface DeclaredTensor {
  readonly type: NumberTypeName;
  readonly shape: readonly number[];
}

/**
 * Images out of little-endian bytes. Whole numbers are grey levels and are scaled to 0…1; floats are taken as they are.
 *
 * @throws {HttpProblem} 400 where shape or length do not fit
 */
export function imagesFromBytes(
  bytes: Uint8Array,
  tensor: DeclaredTensor,
  card: Pick<ModelCard, 'inputShape'>,
): ImageBatch {
  const count = countOf(tensor.shape, card);
  const { bytes: width, isLevel, read } = NUMBER_TYPES[tensor.type];
  const size = count * sizeOf(card.inputShape);
  if (bytes.length !== size * width)
    throw bad(
      `${size * width} bytes of ${tensor.type} in shape ${formatShape(tensor.shape)}`,
      `${bytes.length}`,
    );
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const scale = isLevel ? 1 / MAX_LEVEL : 1;
  return checked(
    Float32Array.from({ length: size }, (_, index) => read(view, index * width) * scale),
    count,
  );
}

/**
 * Images out of a row of numbers. Where `repeatsLast`, the last one stands for all that are missing (TensorFlow's way).
 *
 * @throws {HttpProblem} 400 where shape or length do not fit
 */
export function imagesFromNumbers(
  numbers: ArrayLike<unknown>,
  { repeatsLast = false, ...tensor }: DeclaredTensor & { readonly repeatsLast?: boolean },
  card: Pick<ModelCard, 'inputShape'>,
): ImageBatch {
  const count = countOf(tensor.shape, card);
  const size = count * sizeOf(card.inputShape);
  const isEnough = numbers.length === size || (repeatsLast && numbers.length > 0 && numbers.length < size);
  if (!isEnough) throw bad(`${size} numbers in shape ${formatShape(tensor.shape)}`, `${numbers.length}`);
  const scale = NUMBER_TYPES[tensor.type].isLevel ? 1 / MAX_LEVEL : 1;
  const last = numbers.length - 1;
  return checked(
    Float32Array.from({ length: size }, (_, index) => toNumber(numbers[Math.min(index, last)]) * scale),
    count,
  );
}

/** 64-bit integers come as text or as big integers, for lack of a number that holds them. */
function toNumber(value: unknown): number {
  if (typeof value === 'number') return value;
  if (typeof value === 'string' || typeof value === 'bigint') return Number(value);
  throw bad('numbers', describe(value));
}

/** The most numbers of one request: 64 MB as floats. */
const MAX_VALUES = 16_000_000;

/** How many images a tensor of this shape holds: `[n, h, w, c]`, `[n, h, w]` of one channel, `[n, h·w·c]`, or one image. */
function countOf(shape: readonly number[], { inputShape }: Pick<ModelCard, 'inputShape'>): number {
  const size = sizeOf(inputShape);
  const [height, width, channels] = inputShape;
  const whole = channels === 1 ? [[height, width], inputShape] : [inputShape];
  const isOne = whole.some((each) => isSame(shape, each));
  const [count = 0, ...rest] = isOne ? [1, ...shape] : shape;
  const fits = isOne || isSame(rest, [size]) || whole.some((each) => isSame(rest, each));
  if (!fits || !Number.isSafeInteger(count) || count < 1)
    throw bad(`a tensor of shape ${formatShape([-1, ...inputShape])}`, `shape ${formatShape(shape)}`);
  if (count * size > MAX_VALUES) throw bad(`at most ${MAX_VALUES} numbers`, `shape ${formatShape(shape)}`);
  return count;
}

function isSame(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((extent, index) => extent === b[index]);
}

function checked(values: Float32Array, count: number): ImageBatch {
  if (!values.every(Number.isFinite)) throw bad('finite numbers', 'NaN or infinite ones');
  return { values, count };
}

function bad(expected: string, found: string): HttpProblem {
  return new HttpProblem(400, `Expected ${expected}, found ${found}.`);
}

function describe(value: unknown): string {
  if (value === undefined || value === null) return 'nothing';
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : 'a list';
  return typeof value === 'string' ? 'a text' : typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}

/** Probabilities as rows of numbers without the noise behind a float's 8 digits. */
export function probabilityRows(probabilities: Float32Array, count: number): readonly (readonly number[])[] {
  const classes = probabilities.length / count;
  return Array.from({ length: count }, (_, row) =>
    Array.from(probabilities.subarray(row * classes, (row + 1) * classes), withoutNoise),
  );
}

/** A float32 has some 7 significant digits; what JSON would write behind them is noise. */
export function withoutNoise(value: number): number {
  return Number(value.toPrecision(8));
}
