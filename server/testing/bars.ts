/** Pictures of bars: ink in rectangles, whose truth is known to the pixel. */
import type { InkPicture } from '../../lib/digits/even-light.js';
import type { Sign } from '../../lib/digits/find-digits.js';
import { type FoundInk, findInk } from '../../lib/digits/find-ink.js';
import type { Box, GreyImage, Size } from '../../lib/digits/grey-image.js';

/** A rectangle of ink, by default as strong as ink can be. */
interface Bar extends Box {
  readonly strength?: number;
}

/** A box in few characters. */
export const box = (left: number, top: number, width: number, height: number): Box => ({
  left,
  top,
  width,
  height,
});

/** Ink (1) on paper (0). */
export function drawBars({ width, height }: Size, bars: readonly Bar[]): InkPicture {
  const values = new Float32Array(width * height);
  for (const { left, top, strength = 1, ...bar } of bars) {
    for (let y = top; y < top + bar.height; y++)
      values.fill(strength, y * width + left, y * width + left + bar.width);
  }
  return { width, height, values, isDarkInk: true };
}

/** The same as dark ink on paper of one brightness, from 0 to 1. */
export function onPaper({ width, height, values }: GreyImage, paper = 0.9, ink = 0.1): GreyImage {
  return { width, height, values: values.map((value) => paper + (ink - paper) * value) };
}

/** All ink of a picture as one sign. */
export function signOf(picture: InkPicture): { readonly found: FoundInk; readonly sign: Sign } {
  const found = findInk(picture);
  const { pieces } = found;
  const [left, top] = [
    Math.min(...pieces.map((each) => each.left)),
    Math.min(...pieces.map((each) => each.top)),
  ];
  const sign = {
    left,
    top,
    width: Math.max(...pieces.map((each) => each.left + each.width)) - left,
    height: Math.max(...pieces.map((each) => each.top + each.height)) - top,
    area: pieces.reduce((sum, { area }) => sum + area, 0),
    labels: new Set(pieces.map(({ label }) => label)),
  };
  return { found, sign };
}

/** Where something is and how large, without what else is known of it. */
export const boxOf = ({ left, top, width, height }: Box): Box => ({ left, top, width, height });

/** The largest difference of two rows of values. */
export const farthest = (a: Float32Array, b: Float32Array): number =>
  a.reduce((most, value, at) => Math.max(most, Math.abs(value - (b[at] ?? Number.NaN))), 0);
