/** From any picture to what the model was trained on: a bright digit on black, scaled and centred the way MNIST is. */
import type { RgbaImage } from './decode-image.js';
import {
  borderValues,
  boundingBox,
  centreOfMass,
  crop,
  type GreyImage,
  mapValues,
  mean,
  placeOn,
  quantile,
  resample,
  type Size,
} from './grey-image.js';

/** Shape of one model input: `[h, w, c]`, with 1 or 3 channels. */
export type InputShape = readonly [height: number, width: number, channels: number];

/** What the model is given, and what people are shown of it. */
export interface ModelInput {
  /** `[h, w, c]`, row-major, 0 to 1. */
  readonly values: Float32Array;
  /** The same as grey or RGB levels from 0 to 255. */
  readonly pixels: Uint8Array;
  /** True where the picture is one even colour: a guess about it means nothing. */
  readonly blank: boolean;
}

/** One pure step on the way; `size` is the model's input. Steps run in the order of `DIGIT_STEPS`. */
export interface Step {
  readonly name: string;
  readonly apply: (image: GreyImage, size: Size) => GreyImage;
}

/** MNIST scales a digit into 20 × 20 of its 28 × 28 pixels (LeCun et al. 1998). */
const DIGIT_SHARE = 20 / 28;
/** Ink must differ this much from its paper (of 1), or the picture counts as blank. */
const LEAST_CONTRAST = 0.06;
/** Below this share of the strongest ink lies the grain of paper and compression. */
const INK_THRESHOLD = 0.2;
/** As far, in pixels, a digit may be off the middle and still count as centred. */
const CENTRED_WITHIN = 1;
/** Luma weights of ITU-R BT.601, as image libraries make grey of RGB. */
const LUMA = [0.299, 0.587, 0.114] as const;

/** What turns a grey picture into a model's input, one after the other. */
export const DIGIT_STEPS: readonly Step[] = [
  { name: 'bright ink on dark', apply: brightOnDark },
  { name: 'paper to black, ink to white', apply: separateInk },
  { name: 'crop to the ink', apply: cropToInk },
  { name: 'fit into the digit box', apply: fitIntoBox },
  { name: 'centre by mass', apply: centreByMass },
];

/** Makes the model's input of a picture; models of three channels get the picture in colour, letter-boxed. */
export function preprocess(image: RgbaImage, shape: InputShape): ModelInput {
  const [height, width, channels] = shape;
  const planes = flatten(image);
  if (channels === 1) return toModelInput([prepareDigit(toGrey(planes), { width, height })], isBlank(planes));
  const colour = planes.map((plane) => letterBox(plane, { width, height }));
  return toModelInput(colour, isBlank(planes));
}

/** Runs the steps on a grey picture, unless it has the form of the training data already. */
export function prepareDigit(image: GreyImage, size: Size): GreyImage {
  return isAsTrained(image, size)
    ? image
    : DIGIT_STEPS.reduce((current, step) => step.apply(current, size), image);
}

/** Three colour planes of an image; what is transparent becomes white, or black behind bright drawings. */
export function flatten({ width, height, values }: RgbaImage): readonly GreyImage[] {
  let [opacity, visibleLight] = [0, 0];
  for (let at = 0; at < values.length; at += 4) {
    const alpha = (values[at + 3] as number) / 255;
    opacity += alpha;
    visibleLight += alpha * LUMA.reduce((sum, share, c) => sum + share * (values[at + c] as number), 0);
  }
  const background = opacity > 0 && visibleLight / opacity > 127.5 ? 0 : 255;
  return [0, 1, 2].map((channel) => {
    const plane = new Float32Array(width * height);
    for (let pixel = 0; pixel < plane.length; pixel++) {
      const alpha = (values[pixel * 4 + 3] as number) / 255;
      plane[pixel] = (alpha * (values[pixel * 4 + channel] as number) + (1 - alpha) * background) / 255;
    }
    return { width, height, values: plane };
  });
}

function toGrey(planes: readonly GreyImage[]): GreyImage {
  const [red, green, blue] = planes as readonly [GreyImage, GreyImage, GreyImage];
  const values = red.values.map(
    (value, at) => LUMA[0] * value + LUMA[1] * (green.values[at] ?? 0) + LUMA[2] * (blue.values[at] ?? 0),
  );
  return { ...red, values };
}

function isBlank(planes: readonly GreyImage[]): boolean {
  return planes.every(({ values }) => quantile(values, 1) - quantile(values, 0) < LEAST_CONTRAST);
}

/** Paper reaches the border, ink is the smaller part of a picture: a border brighter than the mean is white paper. */
function isDarkInk(image: GreyImage): boolean {
  return quantile(borderValues(image), 0.5) > mean(image.values);
}

/** White on black, of the model's own size and centred: such a picture would only lose by being scaled again. */
function isAsTrained(image: GreyImage, size: Size): boolean {
  if (image.width !== size.width || image.height !== size.height || isDarkInk(image)) return false;
  const [x, y] = centreOfMass(image);
  return Math.max(Math.abs(x - size.width / 2), Math.abs(y - size.height / 2)) <= CENTRED_WITHIN;
}

function brightOnDark(image: GreyImage): GreyImage {
  return isDarkInk(image) ? mapValues(image, (value) => 1 - value) : image;
}

function separateInk(image: GreyImage): GreyImage {
  const paper = quantile(borderValues(image), 0.5);
  const range = quantile(image.values, 1) - paper;
  if (range < LEAST_CONTRAST) return mapValues(image, () => 0);
  return mapValues(image, (value) => {
    const ink = (value - paper) / range;
    return ink < INK_THRESHOLD ? 0 : ink;
  });
}

function cropToInk(image: GreyImage): GreyImage {
  const box = boundingBox(image, INK_THRESHOLD);
  return box === undefined ? image : crop(image, box);
}

function fitIntoBox(image: GreyImage, size: Size): GreyImage {
  const scale = Math.min(
    (size.width * DIGIT_SHARE) / image.width,
    (size.height * DIGIT_SHARE) / image.height,
  );
  const fitted = resample(image, scaled(image, scale));
  // Thin lines fade when they are averaged into few pixels; the strongest ink is white again afterwards.
  const peak = quantile(fitted.values, 1);
  return peak > 0 ? mapValues(fitted, (value) => value / peak) : fitted;
}

/** MNIST's digits have their mass within half a pixel of the middle of pixel 14, on both axes. */
function centreByMass(image: GreyImage, size: Size): GreyImage {
  const [x, y] = centreOfMass(image);
  return placeOn(size, image, {
    left: insideBy(Math.round(size.width / 2 - x), size.width - image.width),
    top: insideBy(Math.round(size.height / 2 - y), size.height - image.height),
  });
}

/** Keeps an offset between 0 and the room there is, so that centring never cuts ink off. */
function insideBy(offset: number, room: number): number {
  return Math.max(0, Math.min(offset, room));
}

/** Fits a plane into `size` without stretching it; its own border continues into the bars. */
function letterBox(plane: GreyImage, size: Size): GreyImage {
  const background = quantile(borderValues(plane), 0.5);
  const scale = Math.min(size.width / plane.width, size.height / plane.height);
  const fitted = mapValues(resample(plane, scaled(plane, scale)), (value) => value - background);
  const placed = placeOn(size, fitted, {
    left: Math.floor((size.width - fitted.width) / 2),
    top: Math.floor((size.height - fitted.height) / 2),
  });
  return mapValues(placed, (value) => value + background);
}

function scaled({ width, height }: Size, scale: number): Size {
  return { width: Math.max(1, Math.round(width * scale)), height: Math.max(1, Math.round(height * scale)) };
}

/** Interleaves planes `[h, w]` into `[h, w, c]`. */
function toModelInput(planes: readonly GreyImage[], blank: boolean): ModelInput {
  const channels = planes.length;
  const values = new Float32Array((planes[0]?.values.length ?? 0) * channels);
  planes.forEach((plane, channel) => {
    plane.values.forEach((value, at) => {
      values[at * channels + channel] = Math.max(0, Math.min(1, value));
    });
  });
  return { values, pixels: Uint8Array.from(values, (value) => Math.round(value * 255)), blank };
}
