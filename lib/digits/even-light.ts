/** Takes uneven light off a picture: how dark (or bright) each pixel is beside the paper around it. */
import { boxBlur, type GreyImage, largest, median, resample, type Size } from './grey-image.js';

/** Ink beside its paper. */
export interface InkPicture extends GreyImage {
  /** True where the ink is darker than the paper. */
  readonly isDarkInk: boolean;
}

/** The light changes slowly: the paper is looked at in a picture of about this size. */
const THUMB_LONG_SIDE = 64;
/** A strip keeps so many rows, or its ink would be lost between them. */
const THUMB_SHORT_SIDE = 32;
/** More changes little. */
const FIT_ROUNDS = 6;
const PAPER_ROUNDS = 2;
/** Residuals below this are as good as none. */
const LEAST_RESIDUAL = 0.01;
/** What differs from the paper by this share of the strongest difference is no paper. */
const INK_SHARE = 0.25;
/** Paper is averaged over windows of this share of the picture, twice. */
const WINDOW_SHARE = 1 / 5;
/** Nearly black paper would make ink of its own grain. */
const LEAST_LIGHT = 0.05;
/** How much the even guess counts where no paper is near. */
const GUESS_WEIGHT = 0.01;

/**
 * The picture as ink: 0 is paper, 1 is black on white paper (or white on black), whatever the light. Values of paper
 * scatter around 0, below it too.
 *
 * Paper is taken to be the larger part of the picture. Light multiplies: dark ink is told by its ratio to the paper.
 */
export function evenLight(image: GreyImage): InkPicture {
  const thumb = resample(image, thumbSize(image));
  const plane = fitPaper(thumb);
  const isDarkInk = cubicMean(thumb.values, plane) < 0;
  const sign = isDarkInk ? -1 : 1;
  let paper = plane;
  let isPaper: Float32Array | undefined;
  for (let round = 0; round < PAPER_ROUNDS; round++) {
    const found = findPaper(thumb, { paper, sign });
    // The same pixels have the same average.
    if (isPaper?.every((value, at) => value === found[at])) break;
    isPaper = found;
    paper = averagePaper(thumb, { isPaper, plane });
  }
  const local = resample({ ...thumb, values: paper }, image).values;
  const values = new Float32Array(image.values.length);
  for (let at = 0; at < values.length; at++) {
    const [value, level] = [image.values[at] as number, local[at] as number];
    values[at] = isDarkInk
      ? 1 - value / Math.max(LEAST_LIGHT, level)
      : (value - level) / Math.max(LEAST_LIGHT, 1 - level);
  }
  return { width: image.width, height: image.height, values, isDarkInk };
}

function thumbSize({ width, height }: Size): Size {
  const [long, short] = [Math.max(width, height), Math.min(width, height)];
  const scale = Math.min(1, Math.max(THUMB_LONG_SIDE / long, THUMB_SHORT_SIDE / short));
  return { width: Math.max(1, Math.round(width * scale)), height: Math.max(1, Math.round(height * scale)) };
}

/** A tilted plane through the larger part of the values: least squares, reweighted so that ink loses its say (Cauchy). */
function fitPaper({ width, height, values }: GreyImage): Float32Array {
  const grid: Grid = { across: axis(width), down: axis(height) };
  const weights = new Float32Array(values.length).fill(1);
  const paper = new Float32Array(values.length);
  const residuals = new Float32Array(values.length);
  for (let round = 0; round < FIT_ROUNDS; round++) {
    const [level, tiltX, tiltY] = weightedPlane(values, { weights, grid });
    for (let y = 0, at = 0; y < height; y++) {
      const downwards = tiltY * (grid.down[y] as number);
      for (let x = 0; x < width; x++, at++) {
        paper[at] = level + tiltX * (grid.across[x] as number) + downwards;
        residuals[at] = Math.abs((values[at] as number) - (paper[at] as number));
      }
    }
    const scale = Math.max(LEAST_RESIDUAL, median(residuals));
    for (let at = 0; at < values.length; at++) {
      const relative = (residuals[at] as number) / scale;
      weights[at] = 1 / (1 + relative * relative);
    }
  }
  return paper;
}

/** Positions of a picture's columns and rows. */
interface Grid {
  readonly across: Float64Array;
  readonly down: Float64Array;
}

/** The middles of `length` pixels, from -0.5 to 0.5. */
function axis(length: number): Float64Array {
  return Float64Array.from({ length }, (_, at) => (at + 0.5) / length - 0.5);
}

/** Level and tilts of the plane of least weighted squares; tilts are 0 where a picture is too narrow to tell. */
function weightedPlane(
  values: Float32Array,
  { weights, grid: { across, down } }: { readonly weights: Float32Array; readonly grid: Grid },
): readonly [level: number, tiltX: number, tiltY: number] {
  let [w, wx, wy, wv] = [0, 0, 0, 0];
  for (let row = 0, at = 0; row < down.length; row++) {
    for (let column = 0; column < across.length; column++, at++) {
      const weight = weights[at] as number;
      w += weight;
      wx += weight * (across[column] as number);
      wy += weight * (down[row] as number);
      wv += weight * (values[at] as number);
    }
  }
  const [meanX, meanY, meanV] = [wx / w, wy / w, wv / w];
  let [xx, xy, yy, xv, yv] = [0, 0, 0, 0, 0];
  for (let row = 0, at = 0; row < down.length; row++) {
    const y = (down[row] as number) - meanY;
    for (let column = 0; column < across.length; column++, at++) {
      const x = (across[column] as number) - meanX;
      const v = (values[at] as number) - meanV;
      const weight = weights[at] as number;
      xx += weight * x * x;
      xy += weight * x * y;
      yy += weight * y * y;
      xv += weight * x * v;
      yv += weight * y * v;
    }
  }
  const determinant = xx * yy - xy * xy;
  if (determinant < 1e-9 * w * w) return [meanV, 0, 0];
  const [tiltX, tiltY] = [(xv * yy - yv * xy) / determinant, (yv * xx - xv * xy) / determinant];
  return [meanV - tiltX * meanX - tiltY * meanY, tiltX, tiltY];
}

/** The mean cube of the differences: few large ones (ink) outweigh many small ones (paper). */
function cubicMean(values: Float32Array, paper: Float32Array): number {
  let sum = 0;
  for (let at = 0; at < values.length; at++) {
    const difference = (values[at] as number) - (paper[at] as number);
    sum += difference * difference * difference;
  }
  return sum;
}

/** 1 where there is paper: what differs little from the `paper` so far, and does not lie beside what differs much. */
function findPaper(
  thumb: GreyImage,
  { paper, sign }: { readonly paper: Float32Array; readonly sign: 1 | -1 },
): Float32Array {
  const differences = thumb.values.map((value, at) => sign * (value - (paper[at] as number)));
  const threshold = Math.max(LEAST_RESIDUAL, INK_SHARE * largest(differences));
  return widened({ ...thumb, values: differences.map((value) => (value > threshold ? 1 : 0)) });
}

/** The mean of the paper around each pixel, ink left out; where there is only ink, the plane. */
function averagePaper(
  thumb: GreyImage,
  { isPaper, plane }: { readonly isPaper: Float32Array; readonly plane: Float32Array },
): Float32Array {
  const radius = Math.max(2, Math.round((Math.max(thumb.width, thumb.height) * WINDOW_SHARE) / 2));
  const soften = (values: Float32Array) => boxBlur(boxBlur({ ...thumb, values }, radius), radius).values;
  const mass = soften(isPaper);
  const light = soften(thumb.values.map((value, at) => value * (isPaper[at] as number)));
  return light.map(
    (sum, at) => (sum + GUESS_WEIGHT * (plane[at] as number)) / ((mass[at] as number) + GUESS_WEIGHT),
  );
}

/** 1 where neither a pixel nor a neighbour is ink: the edge of a stroke is half ink. */
function widened(ink: GreyImage): Float32Array {
  return boxBlur(ink, 1).values.map((share) => (share > 1e-3 ? 0 : 1));
}
