/** Numbers in a request as a tensor: nested lists of JSON, rows of numbers, and bytes of a named type. */
import { own } from '../../lib/core/own.js';
import { formatShape, sizeOf } from '../../lib/core/weights.js';
import { MAX_FLOAT } from '../../lib/federation/statistics.js';
import { bad } from '../../lib/http/problems.js';
import { isList, lengthOf, MOST_DIMENSIONS, NumberLists } from './number-lists.js';

/** Numbers and their shape, before anybody has asked whether a model takes it. */
export interface RequestTensor {
  readonly shape: readonly number[];
  /** Row-major, each finite. */
  readonly values: Float32Array;
  /** Where whole numbers came: of a picture they are grey levels from 0 to 255. */
  readonly isLevels?: boolean;
  /** Where texts came in place of numbers, which may be names of categories; `values` is empty then. */
  readonly texts?: readonly string[];
}

/** The most numbers of one request: 64 MB as floats. */
const MAX_VALUES = 16_000_000;
/** A last number that stands for all that are missing: as many as an image of 256 × 256 × 3, or a warm-up's batch. */
const MAX_REPEATED = 200_000;

/**
 * Lists within lists as JSON gives them, `[n]…[c]`, all of one shape: of numbers, or of texts.
 *
 * @throws {HttpProblem} 400 with what was expected and found
 */
export function tensorFromLists(list: unknown): RequestTensor {
  if (list instanceof NumberLists && list.shape[0] !== 0) return list;
  if (!Array.isArray(list) || list.length === 0) throw bad('a list of at least one example', describe(list));
  if (list[0] instanceof NumberLists) return stacked(list, list[0]);
  const shape: number[] = [];
  let first: unknown = list;
  for (; Array.isArray(first); first = first[0]) {
    if (shape.push(first.length) > MOST_DIMENSIONS)
      throw bad(`lists at most ${MOST_DIMENSIONS} deep`, 'deeper ones');
  }
  const size = boundedSize(shape);
  const whole = { list, depth: 0, example: undefined };
  if (typeof first === 'string') {
    const texts = new Array<string>(size);
    fill(texts, 0, whole, { shape, read: textOf });
    return { shape, values: new Float32Array(0), texts };
  }
  const values = new Float32Array(size);
  fill(values, 0, whole, { shape, read: floatOf });
  return { shape, values };
}

/** Examples of which each is a list of numbers. */
function stacked(list: readonly unknown[], { shape, values: { length } }: NumberLists): RequestTensor {
  const values = new Float32Array(list.length * length);
  for (const [example, each] of list.entries()) {
    if (!(each instanceof NumberLists))
      throw bad('lists of one depth', `${describe(each)} in example ${example}`);
    if (formatShape(each.shape) !== formatShape(shape))
      throw bad(
        `examples of one shape, ${formatShape(shape)} as the first`,
        `one of shape ${formatShape(each.shape)} in example ${example}`,
      );
    values.set(each.values, example * length);
  }
  return { shape: [list.length, ...shape], values };
}

interface Part {
  readonly list: readonly unknown[];
  /** Lists around this one. */
  readonly depth: number;
  /** The example that it is of. */
  readonly example: number | undefined;
}

/** What lists hold. */
interface Filling<T> {
  readonly shape: readonly number[];
  readonly read: (value: unknown, example: number) => T;
}

/** Writes what nested lists hold one after the other. Returns where it ends. */
function fill<T>(target: { [at: number]: T }, at: number, part: Part, filling: Filling<T>): number {
  const { list, depth, example } = part;
  const { shape, read } = filling;
  const extent = shape[depth];
  if (list.length !== extent)
    throw bad(
      `examples of one shape, ${formatShape(shape.slice(1))} as the first`,
      `a list of ${list.length} where that has ${extent} in example ${example}`,
    );
  const isInnermost = depth === shape.length - 1;
  let end = at;
  for (let index = 0; index < list.length; index++) {
    const each: unknown = list[index];
    const own = example ?? index;
    if (isInnermost) target[end++] = read(each, own);
    else if (Array.isArray(each))
      end = fill(target, end, { list: each, depth: depth + 1, example: own }, filling);
    else throw bad('lists of one depth', `${describe(each)} in example ${own}`);
  }
  return end;
}

function textOf(value: unknown, example: number): string {
  if (typeof value !== 'string') throw bad('texts', `${describe(value)} in example ${example}`);
  return value;
}

function floatOf(value: unknown, example: number): number {
  if (typeof value !== 'number') throw bad('numbers', `${describe(value)} in example ${example}`);
  if (Math.abs(value) > MAX_FLOAT) throw bad('numbers that a 32-bit float holds', String(value));
  return value;
}

/** How the bytes of a tensor are read; `isLevel` where its numbers are whole. */
interface NumberType {
  readonly bytes: number;
  readonly isLevel: boolean;
  readonly read: (view: DataView, at: number) => number;
}

const NUMBER_TYPES = {
  FP32: { bytes: 4, isLevel: false, read: (view, at) => view.getFloat32(at, true) },
  FP16: { bytes: 2, isLevel: false, read: (view, at) => halfFloat(view.getUint16(at, true)) },
  BF16: { bytes: 2, isLevel: false, read: (view, at) => upperHalf(view.getUint16(at, true)) },
  FP64: { bytes: 8, isLevel: false, read: (view, at) => view.getFloat64(at, true) },
  BOOL: { bytes: 1, isLevel: false, read: (view, at) => (view.getUint8(at) === 0 ? 0 : 1) },
  UINT8: { bytes: 1, isLevel: true, read: (view, at) => view.getUint8(at) },
  INT8: { bytes: 1, isLevel: true, read: (view, at) => view.getInt8(at) },
  UINT16: { bytes: 2, isLevel: true, read: (view, at) => view.getUint16(at, true) },
  INT16: { bytes: 2, isLevel: true, read: (view, at) => view.getInt16(at, true) },
  UINT32: { bytes: 4, isLevel: true, read: (view, at) => view.getUint32(at, true) },
  INT32: { bytes: 4, isLevel: true, read: (view, at) => view.getInt32(at, true) },
  UINT64: { bytes: 8, isLevel: true, read: (view, at) => Number(view.getBigUint64(at, true)) },
  INT64: { bytes: 8, isLevel: true, read: (view, at) => Number(view.getBigInt64(at, true)) },
} as const satisfies Readonly<Record<string, NumberType>>;

/** A number of IEEE 754's binary16: 5 bits of exponent, 10 of fraction. */
function halfFloat(bits: number): number {
  const exponent = (bits >> 10) & 0x1f;
  const fraction = (bits & 0x3ff) / 1024;
  const sign = bits < 0x8000 ? 1 : -1;
  if (exponent === 0x1f) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (exponent === 0 ? fraction * 2 ** -14 : (1 + fraction) * 2 ** (exponent - 15));
}

/** A number of bfloat16: the upper half of a 32-bit float. */
function upperHalf(bits: number): number {
  WORD.setUint16(0, bits);
  return WORD.getFloat32(0);
}

const WORD = new DataView(new ArrayBuffer(4));

/** Types of numbers that are taken, as the Open Inference Protocol calls them. */
export type NumberTypeName = keyof typeof NUMBER_TYPES;

/** Whether `name` is such a type. */
export function isNumberType(name: unknown): name is NumberTypeName {
  return typeof name === 'string' && Object.hasOwn(NUMBER_TYPES, name);
}

/** A tensor as a client declares it. */
interface DeclaredTensor {
  readonly type: NumberTypeName;
  readonly shape: readonly number[];
}

/**
 * Little-endian bytes.
 *
 * @throws {HttpProblem} 400 where shape and length do not fit
 */
export function tensorFromBytes(bytes: Uint8Array, { type, shape }: DeclaredTensor): RequestTensor {
  const size = boundedSize(shape);
  const { bytes: width, isLevel, read } = NUMBER_TYPES[type];
  if (bytes.length !== size * width)
    throw bad(`${size * width} bytes of ${type} in shape ${formatShape(shape)}`, `${bytes.length}`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return { ...finite(shape, size, (index) => read(view, index * width)), isLevels: isLevel };
}

/**
 * A row of numbers. Where `repeatsLast`, the last one stands for all that are missing (TensorFlow's way).
 *
 * @throws {HttpProblem} 400 where shape and length do not fit
 */
export function tensorFromNumbers(
  numbers: ArrayLike<unknown>,
  { type, shape, repeatsLast = false }: DeclaredTensor & { readonly repeatsLast?: boolean },
): RequestTensor {
  const size = boundedSize(shape);
  const repeats = repeatsLast && numbers.length > 0 && numbers.length < size;
  if (numbers.length !== size && !repeats)
    throw bad(`${size} numbers in shape ${formatShape(shape)}`, `${numbers.length}`);
  if (repeats && size > MAX_REPEATED)
    throw bad(`all ${size} numbers, or one that stands for at most ${MAX_REPEATED}`, `${numbers.length}`);
  const { isLevel } = NUMBER_TYPES[type];
  const last = numbers.length - 1;
  const tensor = finite(shape, size, (index) => toNumber(numbers[index < last ? index : last]));
  return { ...tensor, isLevels: isLevel };
}

/** The numbers of lists under another shape. @throws {HttpProblem} 400 where shape and length do not fit */
export function tensorInShape({ values }: NumberLists, { type, shape }: DeclaredTensor): RequestTensor {
  const size = boundedSize(shape);
  if (values.length !== size) throw bad(`${size} numbers in shape ${formatShape(shape)}`, `${values.length}`);
  return { shape, values, isLevels: NUMBER_TYPES[type].isLevel };
}

/** A row of texts, or lists of them. @throws {HttpProblem} 400 where shape and length do not fit */
export function tensorFromTexts(data: unknown, shape: readonly number[]): RequestTensor {
  if (data instanceof NumberLists) throw bad('texts', 'a number in example 0');
  const texts = Array.isArray(data) ? (data.flat(MOST_DIMENSIONS) as unknown[]) : [];
  const size = boundedSize(shape);
  if (texts.length !== size) throw bad(`${size} texts in shape ${formatShape(shape)}`, `${texts.length}`);
  return { shape, values: new Float32Array(0), texts: texts.map((each) => textOf(each, 0)) };
}

/** 64-bit integers come as text or as big integers, for lack of a number that holds them; what holds or not as a boolean. */
function toNumber(value: unknown): number {
  if (typeof value === 'number') return value;
  if (typeof value === 'boolean') return value ? 1 : 0;
  if (typeof value === 'string' || typeof value === 'bigint') return Number(value);
  throw bad('numbers', describe(value));
}

function finite(shape: readonly number[], size: number, at: (index: number) => number): RequestTensor {
  const values = new Float32Array(size);
  for (let index = 0; index < size; index++) {
    const value = Math.fround(at(index));
    if (!Number.isFinite(value)) throw bad('finite numbers', 'NaN or infinite ones');
    values[index] = value;
  }
  return { shape, values };
}

/** Looked at before anything is made of that size. */
function boundedSize(shape: readonly number[]): number {
  const size = sizeOf(shape);
  if (!(size <= MAX_VALUES)) throw bad(`at most ${MAX_VALUES} numbers`, `shape ${formatShape(shape)}`);
  return size;
}

/** What a value of JSON is, in a word or two, however large it is. */
export function describe(value: unknown): string {
  if (value === undefined || value === null) return 'nothing';
  if (isList(value)) return lengthOf(value) === 0 ? 'an empty list' : 'a list';
  if (typeof value === 'object') return 'b64' in value ? 'base64 text (b64)' : 'an object';
  return typeof value === 'string' ? 'a text' : `a ${typeof value}`;
}

/** The tensors of a request by the names of inputs; what has no name stands under the empty one. */
export type NamedTensors = Readonly<Record<string, RequestTensor>>;

/** The tensors of a model's inputs, in their order, the only one under any name; undefined where they are for others. */
export function tensorsFor(
  tensors: NamedTensors,
  inputs: readonly string[],
): readonly RequestTensor[] | undefined {
  const given = Object.values(tensors);
  if (given.length !== inputs.length) return undefined;
  if (inputs.length === 1) return given;
  const found = inputs.flatMap((name) => own(tensors, name) ?? []);
  return found.length === inputs.length ? found : undefined;
}
