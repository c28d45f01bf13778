/** From any picture to what the model was trained on: bright digits on black, scaled and centred the way MNIST is. */
import { flattenColours, inkyGrey, isEven, type Planes, type RgbaImage } from './colour-planes.js';
import { formSign } from './digit-form.js';
import { evenLight, type InkPicture } from './even-light.js';
import { asOneSign, findSigns, type Sign } from './find-digits.js';
import { type FoundInk, findInk } from './find-ink.js';
import {
  type Box,
  borderValues,
  centreOfMass,
  type GreyImage,
  mapValues,
  placeOn,
  quantile,
  resample,
  type Size,
} from './grey-image.js';
import { waysToRead } from './split-signs.js';

/** Shape of one model input: `[h, w, c]`, with 1 or 3 channels. */
export type InputShape = readonly [height: number, width: number, channels: number];

/** What the model is given, and what people are shown of it. */
export interface ModelInput {
  /** `[h, w, c]`, row-major, 0 to 1. */
  readonly values: Float32Array;
  /** The same as grey or RGB levels from 0 to 255. */
  readonly pixels: Uint8Array;
}

/** A picture on its way, to be shown. */
export interface PictureStep {
  /** What was done, in a few words. */
  readonly name: string;
  readonly image: GreyImage;
}

/** One input of the model, and where in the picture it is from. */
export interface Candidate {
  readonly input: ModelInput;
  /** In pixels of the prepared picture. */
  readonly box: Box;
  /** The line of writing that it stands in, from 1 at the top. */
  readonly line: number;
  /** What was done to this part alone, where it is to be shown. */
  readonly stages: readonly PictureStep[];
}

/** A way to take a piece of ink: as these signs, side by side. */
export interface Reading {
  readonly candidates: readonly Candidate[];
  /** How likely it is before the model has looked: the logarithm of a probability, but for a constant. */
  readonly plausibility: number;
}

/** A picture ready to be read: plain data, which another process may have made. */
export interface Prepared {
  /** True where signs are looked for and there is no ink: a guess would mean nothing. */
  readonly blank: boolean;
  /** What was done to the whole picture, where it is to be shown. */
  readonly stages: readonly PictureStep[];
  /** From left to right, line by line; at least one. For each, the ways in which it may be taken; the model decides. */
  readonly parts: readonly (readonly Reading[])[];
}

/** What a model reads. */
export interface PrepareOptions {
  readonly shape: InputShape;
  /** Signs (digits, letters) are looked for as MNIST has them; any other picture is given whole. */
  readonly subject: 'signs' | 'picture';
  /** With the pictures of all steps; most answers are given without. */
  readonly isShown?: boolean;
}

/** A colour must differ this much, of 1, or the picture counts as blank. */
const LEAST_CONTRAST = 0.06;
/** As far, in pixels, a digit may be off the middle and still count as centred. */
const CENTRED_WITHIN = 1;

/** Makes the model's inputs of a picture. */
export function prepare(image: RgbaImage, options: PrepareOptions): Prepared {
  for (const steps = preparing(image, options); ; ) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

/** The same in steps of a few milliseconds each, for those who have other things to do in between. */
export function* preparing(
  image: RgbaImage,
  { shape, subject, isShown = false }: PrepareOptions,
): Generator<void, Prepared> {
  const [height, width, channels] = shape;
  const size = { width, height };
  const planes = flattenColours(image);
  yield;
  if (subject === 'picture' || channels !== 1) return prepareWhole(planes, { size, channels });
  const blank = isEven(planes, LEAST_CONTRAST);
  const grey = inkyGrey(planes);
  yield;
  if (blank) return { blank, stages: [], parts: [[nothing(size, image)]] };
  const picture = evenLight(grey);
  yield;
  const lit: readonly PictureStep[] = isShown
    ? [
        { name: 'grey', image: grey },
        { name: 'even light, bright ink', image: clamped(picture) },
      ]
    : [];
  if (isAsTrained(picture, size)) {
    const only = candidate(trainedForm(grey, picture), { ...size, left: 0, top: 0 });
    return { blank, stages: lit, parts: [[alone(only)]] };
  }
  const found = findInk(picture);
  yield;
  const stages: readonly PictureStep[] = isShown ? [...lit, { name: 'ink alone', image: found.ink }] : [];
  const isOneSign = image.width <= size.width && image.height <= size.height;
  const whole = isOneSign ? asOneSign(found.pieces) : undefined;
  const lines = isOneSign ? (whole ? [[whole]] : []) : findSigns(found.pieces, found.ink);
  if (lines.length === 0) return { blank: true, stages, parts: [[nothing(size, image)]] };
  yield;
  const parts: (readonly Reading[])[] = [];
  for (const [at, signs] of lines.entries()) {
    for (const sign of signs) {
      parts.push(readings({ found, sign, line: at + 1, size, isOneSign, isShown }));
      yield;
    }
  }
  return { blank, stages, parts };
}

/** The model's input of a picture of one sign (or, in colour, of anything). */
export function preprocess(image: RgbaImage, shape: InputShape): ModelInput & { readonly blank: boolean } {
  const { blank, parts } = prepare(image, { shape, subject: 'signs' });
  const input = parts[0]?.[0]?.candidates[0]?.input;
  if (input === undefined) throw new RangeError('a prepared picture has no parts');
  return { ...input, blank };
}

interface SignOptions {
  readonly found: FoundInk;
  readonly sign: Sign;
  readonly line: number;
  readonly size: Size;
  readonly isOneSign: boolean;
  readonly isShown: boolean;
}

function readings({ found, sign, line, size, isOneSign, isShown }: SignOptions): readonly Reading[] {
  const ways = isOneSign ? [{ signs: [sign], plausibility: 0 }] : waysToRead(found, sign);
  return ways.map(({ signs, plausibility }) => ({
    plausibility,
    candidates: signs.map((each) => {
      const { cut, boxed, centred } = formSign(found, each, size);
      const { left, top, width, height } = each;
      const stages = isShown
        ? [
            { name: 'cut out', image: cut },
            { name: `fitted into ${boxed.width} × ${boxed.height}`, image: boxed },
          ]
        : [];
      return { ...candidate(centred, { left, top, width, height }, stages), line };
    }),
  }));
}

function candidate(image: GreyImage, box: Box, stages: readonly PictureStep[] = []): Candidate {
  return { input: toModelInput([image]), box, line: 1, stages };
}

function alone(only: Candidate): Reading {
  return { plausibility: 0, candidates: [only] };
}

/** Black, for a picture without ink. */
function nothing(size: Size, { width, height }: Size): Reading {
  const values = new Float32Array(size.width * size.height);
  return alone(candidate({ ...size, values }, { left: 0, top: 0, width, height }));
}

/** Of the model's own size and centred: such a picture would only lose by being scaled again. */
function isAsTrained(picture: InkPicture, size: Size): boolean {
  if (picture.width !== size.width || picture.height !== size.height) return false;
  const [x, y] = centreOfMass(clamped(picture));
  return Math.max(Math.abs(x - size.width / 2), Math.abs(y - size.height / 2)) <= CENTRED_WITHIN;
}

/** White on black as it is, level by level; dark ink turned into that. */
function trainedForm(grey: GreyImage, picture: InkPicture): GreyImage {
  return picture.isDarkInk ? clamped(picture) : grey;
}

function clamped({ width, height, values }: GreyImage): GreyImage {
  return { width, height, values: values.map((value) => Math.max(0, Math.min(1, value))) };
}

interface WholeOptions {
  readonly size: Size;
  readonly channels: number;
}

/** The whole picture as it is, grey or in colour, letter-boxed. One even colour is a picture like any other. */
function prepareWhole(planes: Planes, { size, channels }: WholeOptions): Prepared {
  const [plane] = planes;
  const box = { left: 0, top: 0, width: plane.width, height: plane.height };
  const used = channels === 1 ? [inkyGrey(planes)] : planes;
  const input = toModelInput(used.map((each) => letterBox(each, size)));
  return { blank: false, stages: [], parts: [[alone({ input, box, line: 1, stages: [] })]] };
}

/** Fits a plane into `size` without stretching it; its own border continues into the bars. */
function letterBox(plane: GreyImage, size: Size): GreyImage {
  const background = quantile(borderValues(plane), 0.5);
  const scale = Math.min(size.width / plane.width, size.height / plane.height);
  const scaled = {
    width: Math.max(1, Math.round(plane.width * scale)),
    height: Math.max(1, Math.round(plane.height * scale)),
  };
  const fitted = mapValues(resample(plane, scaled), (value) => value - background);
  const placed = placeOn(size, fitted, {
    left: Math.floor((size.width - fitted.width) / 2),
    top: Math.floor((size.height - fitted.height) / 2),
  });
  return mapValues(placed, (value) => value + background);
}

/** Interleaves planes `[h, w]` into `[h, w, c]`. */
function toModelInput(planes: readonly GreyImage[]): ModelInput {
  const channels = planes.length;
  const values = new Float32Array((planes[0]?.values.length ?? 0) * channels);
  const pixels = new Uint8Array(values.length);
  planes.forEach((plane, channel) => {
    for (let from = 0, at = channel; at < values.length; from++, at += channels) {
      const value = Math.max(0, Math.min(1, plane.values[from] as number));
      values[at] = value;
      pixels[at] = Math.round(value * 255);
    }
  });
  return { values, pixels };
}
