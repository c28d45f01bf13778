/** From an array of any number type to one input of examples: what can be taken without a doubt is taken, the rest is refused with a cure. */
import type { DataError } from '../../core/errors.js';
import { formatShape, sizeOf } from '../../core/weights.js';
import {
  type InputRows,
  NO_RANGE,
  onePiece,
  rangeOfValues,
  type ValueRange,
} from '../../federation/example-rows.js';
import { dtypeOf, type ExampleValues, MAX_CHANNELS } from '../../federation/examples.js';
import { MAX_PIXEL } from '../../federation/pixel-scale.js';
import { changeLine } from './mending-lines.js';
import type { NpyDtype, NpyRows, NpyValues } from './npy.js';

/** Makes the error of a failed check. */
export type Fault = (expected: string, found: string, mend?: string) => DataError;

/** Where an array is, and who hears what was done to it. */
export interface ArrayPlace {
  readonly file: string;
  /** Name of the array. */
  readonly name: string;
  readonly fault: Fault;
  /** Hears one sentence where the values are not taken as they stand in the file. */
  readonly tell: (note: string) => void;
  /** Whether numbers that are not finite stand for missing ones; else they are refused. */
  readonly keepsMissing?: boolean | undefined;
}

/**
 * The input that an array holds: of any rank, `[n]` as `[n, 1]`. Of images whole numbers from 0 to 255 become uint8, and
 * bool black and white; of other inputs whole numbers become int32. float16 becomes float32. An array that is not in memory
 * is looked at in pieces first, unless nothing can be wrong with its numbers.
 *
 * @param hear hears of the bytes that were looked at
 * @throws {DataError} for empty examples, images with channels first, other whole numbers, NaN and infinity
 */
export async function inputOf(
  rows: NpyRows,
  place: ArrayPlace,
  hear: (bytes: number) => void = () => undefined,
): Promise<Omit<InputRows, 'name'>> {
  const shape = rows.shape.length === 1 ? [...rows.shape, 1] : rows.shape;
  requireShape(shape, place);
  const { dtype } = rows;
  const keepsMissing = place.keepsMissing || rows.lacksNumbers;
  if (rows.values !== undefined) {
    const convert = conversionOf(rows, place, () => rangeOfValues(rows.values as NpyValues));
    const values = convert(rows.values);
    if (!keepsMissing) requireFinite(values, { shape, place, before: 0 });
    return { shape, values, dtype: dtypeOf(values), pieces: () => onePiece(values) };
  }
  const range =
    bytesToLookAt(rows) === 0 ? undefined : await lookAt(rows, { shape, place, keepsMissing, hear });
  const convert = conversionOf(rows, place, () => range as ValueRange);
  return {
    ...{ shape, range, dtype: dtypeOf(convert(EMPTY[dtype])) },
    async *pieces() {
      for await (const piece of rows.pieces()) yield convert(piece);
    },
  };
}

/** How many bytes of values {@link inputOf} looks at in pieces: none where nothing can be wrong with them. */
export function bytesToLookAt({ dtype, shape, values, areFinite = false }: NpyRows): number {
  const isBytes = dtype === 'uint8' || dtype === 'bool';
  const isKnown = (isBytes && shape.length > 2) || (areFinite && dtype.startsWith('float'));
  if (values !== undefined || isKnown) return 0;
  return sizeOf(shape) * EMPTY[dtype].BYTES_PER_ELEMENT;
}

/** What the values of each dtype come in. */
const EMPTY: Readonly<Record<NpyDtype, NpyValues>> = {
  bool: new Uint8Array(0),
  uint8: new Uint8Array(0),
  uint16: new Uint16Array(0),
  uint32: new Uint32Array(0),
  uint64: new BigUint64Array(0),
  int8: new Int8Array(0),
  int16: new Int16Array(0),
  int32: new Int32Array(0),
  int64: new BigInt64Array(0),
  float16: new Float32Array(0),
  float32: new Float32Array(0),
  float64: new Float64Array(0),
};

interface Look {
  readonly shape: readonly number[];
  readonly place: ArrayPlace;
  readonly keepsMissing: boolean | undefined;
  readonly hear: (bytes: number) => void;
}

/** The range of all numbers. @throws {DataError} for NaN and infinity */
async function lookAt(
  rows: NpyRows,
  { shape, place, keepsMissing = false, hear }: Look,
): Promise<ValueRange> {
  let range = NO_RANGE;
  let before = 0;
  for await (const values of rows.pieces()) {
    const isFloat = values instanceof Float32Array || values instanceof Float64Array;
    if (!isFloat) range = rangeOfValues(values, range);
    else if (!keepsMissing) requireFinite(values, { shape, place, before });
    before += values.length;
    hear(values.byteLength);
  }
  return range;
}

interface FiniteCheck {
  readonly shape: readonly number[];
  readonly place: ArrayPlace;
  /** So many values came before these. */
  readonly before: number;
}

function requireFinite(values: ExampleValues, { shape, place, before }: FiniteCheck): void {
  const bad = findNonFinite(values);
  if (bad < 0) return;
  const example = Math.floor((before + bad) / sizeOf(shape.slice(1)));
  const mend = changeLine(place.file, 'x', 'np.where(np.isfinite(v), v, v[np.isfinite(v)].min())');
  throw place.fault(`finite numbers in ${place.name}`, `${values[bad]} in example ${example}`, mend);
}

/** Sides of less are more likely something else. */
const LEAST_SIDE = 8;

function requireShape(shape: readonly number[], { file, name, fault }: ArrayPlace): void {
  const [, ...one] = shape;
  if (shape.length === 0 || one.includes(0))
    throw fault(`${name} to be inputs [n,…], at least one number each`, `the shape ${formatShape(shape)}`);
  const [first = 0, second = 0, third = 0] = one;
  const isChannelsFirst =
    first <= MAX_CHANNELS && second >= LEAST_SIDE && third >= LEAST_SIDE && one.length === 3;
  if (!isChannelsFirst) return;
  throw fault(
    `${name} to be images [n,h,w,c]`,
    `the shape ${formatShape(shape)}, channels first`,
    changeLine(file, 'x', 'v.transpose(0, 2, 3, 1)'),
  );
}

/** The image that `size` numbers in a row most likely are, as numpy's reshape takes it: `28, 28`; undefined for no picture. */
export function imageOfFlat(size: number): string | undefined {
  const [side, colour] = [Math.sqrt(size), Math.sqrt(size / 3)];
  if (Number.isInteger(side) && side >= LEAST_SIDE) return `${side}, ${side}`;
  return Number.isInteger(colour) && colour >= LEAST_SIDE ? `${colour}, ${colour}, 3` : undefined;
}

/** Makes images of rows of `size` numbers, where they may be pictures. Flat colour tells nothing about the order of its numbers. */
export function flatImagesLine(file: string, size: number): string | undefined {
  const image = imageOfFlat(size);
  return image && changeLine(file, 'x', `v.reshape(-1, ${image})`);
}

/** What makes inputs of values: by dtype and not by class alone, since `bool` and `float16` come in wider arrays. */
function conversionOf(
  { dtype, shape }: Pick<NpyRows, 'dtype' | 'shape'>,
  place: ArrayPlace,
  findRange: () => ValueRange,
): (values: NpyValues) => ExampleValues {
  const asTheyAre = (values: NpyValues) => values as ExampleValues;
  const isPicture = shape.length === 3 || (shape.length === 4 && (shape[3] as number) <= MAX_CHANNELS);
  if (dtype === 'bool') {
    if (!isPicture) return asTheyAre;
    place.tell(`${place.name} is bool, taken as uint8: 0 and 255`);
    return (values) => Uint8Array.from(values as Uint8Array, (value) => value * MAX_PIXEL);
  }
  if (dtype === 'uint8' || dtype.startsWith('float')) {
    if (dtype === 'float16') place.tell(`${place.name} is float16, taken as float32`);
    return asTheyAre;
  }
  const { least, most } = findRange();
  const fits = isPicture ? least >= 0 && most <= MAX_PIXEL : least >= -(2 ** 31) && most < 2 ** 31;
  if (!fits) {
    const mend = changeLine(
      place.file,
      'x',
      `((v.astype("float64") - ${least}) / ${most - least}).astype("float32")`,
    );
    const wanted = isPicture ? 'uint8, or floats from 0 to 1' : 'whole numbers of 32 bits, or floats';
    throw place.fault(`${place.name} to be ${wanted}`, `${dtype} from ${least} to ${most}`, mend);
  }
  if (!isPicture)
    return dtype === 'int32'
      ? asTheyAre
      : (values) => Int32Array.from(values as unknown as Int32Array, Number);
  place.tell(`${place.name} is ${dtype} from ${least} to ${most}, taken as uint8`);
  return (values) => Uint8Array.from(values as unknown as Int32Array, Number);
}

/** Where the first NaN or infinity is; -1 where there is none. A plain loop: five times as fast as findIndex. */
export function findNonFinite(values: ExampleValues): number {
  if (values instanceof Uint8Array || values instanceof Int32Array) return -1;
  for (let at = 0; at < values.length; at++) if (!Number.isFinite(values[at])) return at;
  return -1;
}
