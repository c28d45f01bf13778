/** From an array of any number type to images: what can be taken without a doubt is taken, the rest is refused with a cure. */
import type { DataError } from '../../core/errors.js';
import { formatShape, sizeOf } from '../../core/weights.js';
import type { ImageValues } from '../../federation/examples.js';
import { MAX_PIXEL } from '../../federation/pixel-scale.js';
import { changeLine } from './mending-lines.js';
import type { NpyArray, NpyValues } from './npy.js';

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
}

/** Images, `[n, h, w]` or `[n, h, w, c]`. */
interface ImageArray {
  readonly shape: readonly number[];
  readonly images: ImageValues;
}

/**
 * The images of an array. Whole numbers from 0 to 255 become uint8, bool becomes black and white, float16 float32.
 *
 * @throws {DataError} for another shape, channels first, other whole numbers, NaN and infinity
 */
export function imagesOf(array: NpyArray, place: ArrayPlace): ImageArray {
  const { shape } = array;
  requireImageShape(shape, place);
  const images = imageValues(array, place);
  const bad = findNonFinite(images);
  if (bad >= 0) {
    const example = Math.floor(bad / sizeOf(shape.slice(1)));
    const mend = changeLine(place.file, 'x', 'np.where(np.isfinite(v), v, v[np.isfinite(v)].min())');
    throw place.fault(`finite numbers in ${place.name}`, `${images[bad]} in example ${example}`, mend);
  }
  return { shape, images };
}

/** Channels that an image can have: grey, grey and alpha, colour, colour and alpha. */
const MAX_CHANNELS = 4;
/** Sides of less are more likely something else. */
const LEAST_SIDE = 8;

function requireImageShape(shape: readonly number[], { file, name, fault }: ArrayPlace): void {
  const [, ...one] = shape;
  if ((one.length !== 2 && one.length !== 3) || one.includes(0)) {
    const reshape = shapeOfFlat(one);
    throw fault(
      `${name} to be images [n,h,w] or [n,h,w,c]`,
      `the shape ${formatShape(shape)}${orPlanes(reshape)}`,
      reshape && changeLine(file, 'x', `v.reshape(${reshape})`),
    );
  }
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

/** How to reshape what is no image: a square, a square in colour, one row of pixels; or without the axes of length 1. */
function shapeOfFlat(one: readonly number[]): string | undefined {
  const size = sizeOf(one);
  if (size === 0 || one.length === 0) return undefined;
  const longer = one.filter((extent) => extent !== 1);
  if (longer.length > 1) return longer.length <= 3 ? `len(v), ${longer.join(', ')}` : undefined;
  return `-1, ${imageOfFlat(size)}`;
}

/** Flat colour pictures tell nothing about the order of their numbers: what else to type where they come by planes. */
function orPlanes(reshape: string | undefined): string {
  const colour = /^-1, (\d+, \d+), 3$/.exec(reshape ?? '')?.[1];
  if (colour === undefined) return '';
  return ` (where red, green and blue come as planes, as in CIFAR, type v.reshape(-1, 3, ${colour}).transpose(0, 2, 3, 1) below)`;
}

/** The image that `size` numbers in a row most likely are, as numpy's reshape takes it: `28, 28`. */
export function imageOfFlat(size: number): string {
  const side = Math.sqrt(size);
  if (Number.isInteger(side)) return `${side}, ${side}`;
  const colour = Math.sqrt(size / 3);
  return Number.isInteger(colour) && colour > 1 ? `${colour}, ${colour}, 3` : `1, ${size}`;
}

/** By dtype and not by class alone, since `bool` and `float16` come in wider arrays. */
function imageValues({ dtype, values }: NpyArray, place: ArrayPlace): ImageValues {
  if (dtype === 'bool') {
    place.tell(`${place.name} is bool, taken as uint8: 0 and 255`);
    return Uint8Array.from(values as Uint8Array, (value) => value * MAX_PIXEL);
  }
  if (values instanceof Uint8Array) return values;
  if (values instanceof Float64Array) return values;
  if (values instanceof Float32Array) {
    if (dtype === 'float16') place.tell(`${place.name} is float16, taken as float32`);
    return values;
  }
  const { least, most } = rangeOf(values);
  if (least < 0 || most > MAX_PIXEL) {
    const mend = changeLine(
      place.file,
      'x',
      `((v.astype("float64") - ${least}) / ${most - least}).astype("float32")`,
    );
    throw place.fault(
      `${place.name} to be uint8, or floats from 0 to 1`,
      `${dtype} from ${least} to ${most}`,
      mend,
    );
  }
  place.tell(`${place.name} is ${dtype} from ${least} to ${most}, taken as uint8`);
  return Uint8Array.from(values as Int32Array, Number);
}

function rangeOf(values: NpyValues): { readonly least: number; readonly most: number } {
  let [least, most] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const value of values) {
    const number = Number(value);
    if (number < least) least = number;
    if (number > most) most = number;
  }
  return { least, most };
}

/** Where the first NaN or infinity is; -1 where there is none. A plain loop: five times as fast as findIndex. */
function findNonFinite(values: ImageValues): number {
  if (values instanceof Uint8Array) return -1;
  for (let at = 0; at < values.length; at++) if (!Number.isFinite(values[at])) return at;
  return -1;
}
