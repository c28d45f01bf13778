/** What black and white are in numbers: found in images, written as `-1..1`, and the way from one scale to another. */
import { UsageError } from '../core/errors.js';
import { sizeOf } from '../core/weights.js';
import type { InputRows } from './example-rows.js';
import { dtypeOf, type ExampleValues, type Images, type InputForm, MAX_CHANNELS } from './examples.js';

/** The numbers that stand for black and for white, one for all channels or one for each. */
export interface PixelScale {
  readonly black: readonly number[];
  readonly white: readonly number[];
}

/** Black is 0 and white is 1: what a model takes that says nothing else. */
export const UNIT_SCALE: PixelScale = { black: [0], white: [1] };

/** The same, as it is written. */
export const USUAL_SCALE = '0..1';

/** The scale of a model whose file says `text`, or nothing. */
export function scaleOf(text: string | undefined): PixelScale {
  return (text === undefined ? undefined : parseScale(text)) ?? UNIT_SCALE;
}

/** What is stored as `uint8`: a model is given a 255th of it. */
export const MAX_PIXEL = 255;

/** The scale of stored images whose `stored` scale is that of the file, as a model is given them. */
export function inputScale(stored: PixelScale, isUint8: boolean): PixelScale {
  if (!isUint8) return stored;
  const unit = (values: readonly number[]) => values.map((value) => value / MAX_PIXEL);
  return { black: unit(stored.black), white: unit(stored.white) };
}

const NUMBER = '[+-]?(?:\\d+\\.?\\d*|\\.\\d+)(?:e[+-]?\\d+)?';
const PAIR = new RegExp(`^(${NUMBER})\\.\\.(${NUMBER})$`, 'i');

/** Reads `-1..1`, or `-2.1..2.6,-2..2.6,-1.8..2.6` with a pair for each channel; undefined for anything else. */
export function parseScale(text: string): PixelScale | undefined {
  const pairs = text.split(',').map((pair) => PAIR.exec(pair.trim()));
  const numbers = (part: 1 | 2) => pairs.map((pair) => Number(pair?.[part] ?? Number.NaN));
  const scale = { black: numbers(1), white: numbers(2) };
  const isGood = scale.black.every((black, channel) => {
    const white = scale.white[channel] as number;
    return Number.isFinite(black) && Number.isFinite(white) && black !== white;
  });
  return isGood && pairs.length <= MAX_CHANNELS ? scale : undefined;
}

/** The scale that a user named, if one was: `auto` is what holds without it. */
export function namedScale(given: string | undefined): { readonly scale?: PixelScale } {
  const scale = given === undefined || given === 'auto' ? undefined : parseScale(given);
  return scale === undefined ? {} : { scale };
}

/** @throws {UsageError} where a scale has pairs for other channels than the images of `data` have, or they are no images */
export function requireChannels(scale: PixelScale, channels: number | undefined, data: string): void {
  if (channels === undefined) {
    throw new UsageError(
      `The scale ${formatScale(scale)} says which numbers are black and white, and the inputs of ${data} are no images: leave the scale out.`,
    );
  }
  const pairs = scale.black.length;
  if (pairs === 1 || pairs === channels) return;
  throw new UsageError(
    `The scale ${formatScale(scale)} is for images of ${pairs} channels, and ${data} has images of ${channels}.`,
  );
}

/** Writes a scale as {@link parseScale} reads it. */
export function formatScale({ black, white }: PixelScale): string {
  return black.map((each, channel) => `${short(each)}..${short(white[channel] as number)}`).join(',');
}

/** A scale for people: `from -1 to 1`. */
export function describeScale({ black, white }: PixelScale): string {
  return black.map((each, channel) => `from ${short(each)} to ${short(white[channel] as number)}`).join(', ');
}

/** As many digits as a float32 is good for. */
const short = (value: number) => Number(value.toPrecision(7));

/** Whether two scales mean the same, but for what the lightest or darkest example of some images may lack. */
export function isNear(a: PixelScale, b: PixelScale, tolerance = 0.1): boolean {
  const channels = Math.max(a.black.length, b.black.length);
  return Array.from({ length: channels }, (_, channel) => {
    const [one, other] = [channelOf(a, channel), channelOf(b, channel)];
    const limit = tolerance * Math.abs(one.white - one.black);
    return Math.abs(one.black - other.black) <= limit && Math.abs(one.white - other.white) <= limit;
  }).every(Boolean);
}

function channelOf({ black, white }: PixelScale, channel: number) {
  const at = black.length === 1 ? 0 : channel;
  return { black: black[at] as number, white: white[at] as number };
}

/**
 * Moves values `[…, channels]` from one scale to another, in place.
 *
 * @param values interleaved by channel, as images are stored
 */
export function rescale(
  values: Float32Array,
  { channels, from, to }: { readonly channels: number; readonly from: PixelScale; readonly to: PixelScale },
): void {
  for (let channel = 0; channel < channels; channel++) {
    const [before, after] = [channelOf(from, channel), channelOf(to, channel)];
    const factor = (after.white - after.black) / (before.white - before.black);
    for (let at = channel; at < values.length; at += channels) {
      values[at] = after.black + ((values[at] as number) - before.black) * factor;
    }
  }
}

/** What images tell of their scale. */
type ScaleFinding =
  /** Black is 0 and white is 1 (or 255 where they are uint8), as far as can be told. */
  | { readonly kind: 'usual' }
  /** In the numbers of the file. */
  | { readonly kind: 'found'; readonly scale: PixelScale }
  /** Other numbers, and nothing says which of them are black and white. */
  | { readonly kind: 'unknown'; readonly least: number; readonly most: number };

/** Scales that are in use: what nearly fills one of these has it. */
const IN_USE: readonly (readonly [black: number, white: number])[] = [
  [-1, 1],
  [-0.5, 0.5],
  [0, 255],
  [-128, 127],
];
/** How much of such a scale images may leave unused. */
const UNUSED = 0.05;
/** Images of less than this reach no white in 0 … 1; those of 8 bits use more than a quarter of their range. */
const LEAST_WHITE = 0.5;
const LEAST_WHITE_UINT8 = 64;
/**
 * Half of the images come so near to the least and to the largest number of all. Pictures with black and white in them
 * do, by whichever line their numbers were moved; numbers that were moved pixel by pixel or image by image do not.
 */
const NEAR_EXTREMES = 0.15;

/** Finds what is black and what is white in images. */
export function findScale({ shape, values }: Images): ScaleFinding {
  const finder = new ScaleFinder({ shape, dtype: dtypeOf(values) });
  finder.add(values);
  return finder.finding();
}

/** The same in images that may be more than memory holds. */
export async function findScaleOfRows(images: InputRows): Promise<ScaleFinding> {
  const finder = new ScaleFinder(images);
  for await (const values of images.pieces()) if (finder.add(values)) break;
  return finder.finding();
}

/** Looks at images, some at a time. */
class ScaleFinder {
  readonly #isUint8: boolean;
  readonly #sizePerImage: number;
  readonly #count: number;
  readonly #channels: number;
  #isUsual = false;
  #seen = 0;
  /** Of each image, by channel. */
  #darkest: readonly Float64Array[] = [];
  #lightest: readonly Float64Array[] = [];

  constructor({ shape, dtype }: InputForm) {
    const [count = 0, ...one] = shape;
    const last = shape[3] ?? 1;
    this.#isUint8 = dtype === 'uint8';
    this.#sizePerImage = sizeOf(one);
    this.#count = count;
    this.#channels = last <= MAX_CHANNELS ? last : 1;
  }

  /** Whether the rest needs no look. */
  add(images: ExampleValues): boolean {
    this.#isUsual ||= this.#isUint8 && images.some((value) => value > LEAST_WHITE_UINT8);
    if (this.#isUsual) return true;
    const extremes = () => Array.from({ length: this.#channels }, () => new Float64Array(this.#count));
    if (this.#seen === 0) [this.#darkest, this.#lightest] = [extremes(), extremes()];
    for (let start = 0; start < images.length; start += this.#sizePerImage, this.#seen++)
      for (let channel = 0; channel < this.#channels; channel++) this.#addImage(images, start, channel);
    return false;
  }

  finding(): ScaleFinding {
    if (this.#isUsual) return { kind: 'usual' };
    const extremes = this.#darkest.map((darkest, channel) =>
      extremesOf(darkest, this.#lightest[channel] as Float64Array),
    );
    return judge(extremes, this.#isUint8);
  }

  #addImage(images: ExampleValues, start: number, channel: number): void {
    let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
    const end = start + this.#sizePerImage;
    for (let at = start + channel; at < end; at += this.#channels) {
      const value = images[at] as number;
      if (value < low) low = value;
      if (value > high) high = value;
    }
    (this.#darkest[channel] as Float64Array)[this.#seen] = low;
    (this.#lightest[channel] as Float64Array)[this.#seen] = high;
  }
}

function judge(extremes: readonly Extremes[], isUint8: boolean): ScaleFinding {
  const least = Math.min(...extremes.map((each) => each.least));
  const most = Math.max(...extremes.map((each) => each.most));
  const isEven = !(most > least);
  if (isEven || (!isUint8 && isNear(UNIT_SCALE, { black: [least], white: [most] }))) return { kind: 'usual' };
  if (!isUint8 && least >= 0 && most <= 1 && most > LEAST_WHITE) return { kind: 'usual' };
  const inUse = IN_USE.map(([black, white]) => ({ black: [black], white: [white] })).find((scale) =>
    isNear(scale, { black: [least], white: [most] }, UNUSED),
  );
  if (inUse !== undefined) return { kind: 'found', scale: inUse };
  if (extremes.every(({ isReached }) => isReached)) return { kind: 'found', scale: joined(extremes) };
  // Dark pictures, most likely.
  if (least >= 0 && most <= (isUint8 ? MAX_PIXEL : 1)) return { kind: 'usual' };
  return { kind: 'unknown', least: short(least), most: short(most) };
}

interface Extremes {
  readonly least: number;
  readonly most: number;
  /** Whether half of the images come near to both. */
  readonly isReached: boolean;
}

/** @param darkest of each image; sorted here, like `lightest` */
function extremesOf(darkest: Float64Array, lightest: Float64Array): Extremes {
  darkest.sort();
  lightest.sort();
  const [least, most] = [darkest[0] ?? 0, lightest.at(-1) ?? 0];
  const middle = darkest.length >> 1;
  const tolerance = NEAR_EXTREMES * (most - least);
  const isReached =
    (darkest[middle] as number) - least <= tolerance && most - (lightest[middle] as number) <= tolerance;
  return { least, most, isReached };
}

/** One pair for all channels where they are alike. */
function joined(extremes: readonly Extremes[]): PixelScale {
  const black = extremes.map(({ least }) => least);
  const white = extremes.map(({ most }) => most);
  const one = { black: [Math.min(...black)], white: [Math.max(...white)] };
  return isNear(one, { black, white }, UNUSED) ? one : { black, white };
}
