/** Puts a digit where MNIST puts it: fitted into a 20 × 20 box, then centred in 28 × 28 by its centre of mass. */
import type { Blot, Ink } from './hand.js';

/** Side of the box that the ink fills, in pixels. */
export const BOX_SIZE = 20;
/** Side of an image, in pixels. */
export const IMAGE_SIZE = 28;

/** Where the fit stops: within a thousandth of a pixel. */
const TOLERANCE = 1e-3;
const MOST_STEPS = 20;

/**
 * Scales the blots' places, not their radii, until the ink's larger side is `size` long, and moves the ink's
 * middle to (size / 2, size / 2): the pen is as thick as it is, however large the writer writes.
 */
export function fitIntoBox(strokes: readonly Ink[], size: number): Ink[] {
  const blots = strokes.flat();
  let scale = 1;
  for (let step = 0; step < MOST_STEPS; step++) {
    const { left, right, top, bottom } = bounds(blots, scale);
    const side = Math.max(right - left, bottom - top);
    if (Math.abs(side - size) < TOLERANCE) break;
    // Twice the pen's radius is part of the side but does not grow with the scale.
    const pen = 2 * Math.max(...blots.map((blot) => blot.radius));
    scale *= Math.max(0.05, size - pen) / Math.max(1e-6, side - pen);
  }
  const { left, right, top, bottom } = bounds(blots, scale);
  const moveX = (size - left - right) / 2;
  const moveY = (size - top - bottom) / 2;
  return strokes.map((stroke) =>
    stroke.map(({ x, y, radius }) => ({ x: x * scale + moveX, y: y * scale + moveY, radius })),
  );
}

interface Bounds {
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
}

function bounds(blots: readonly Blot[], scale: number): Bounds {
  let [left, right, top, bottom] = [Infinity, -Infinity, Infinity, -Infinity];
  for (const { x, y, radius } of blots) {
    left = Math.min(left, x * scale - radius);
    right = Math.max(right, x * scale + radius);
    top = Math.min(top, y * scale - radius);
    bottom = Math.max(bottom, y * scale + radius);
  }
  return { left, right, top, bottom };
}

/** Copies a `BOX_SIZE` square into an `IMAGE_SIZE` one, its centre of mass as near to the middle as whole pixels go. */
export function centreByMass(box: Uint8Array): Uint8Array {
  let mass = 0;
  let massX = 0;
  let massY = 0;
  for (let at = 0; at < box.length; at++) {
    const value = box[at] as number;
    mass += value;
    massX += value * (at % BOX_SIZE);
    massY += value * Math.floor(at / BOX_SIZE);
  }
  const middle = (IMAGE_SIZE - 1) / 2;
  const left = shift(middle - massX / mass);
  const top = shift(middle - massY / mass);
  const image = new Uint8Array(IMAGE_SIZE * IMAGE_SIZE);
  for (let row = 0; row < BOX_SIZE; row++) {
    const source = box.subarray(row * BOX_SIZE, (row + 1) * BOX_SIZE);
    image.set(source, (row + top) * IMAGE_SIZE + left);
  }
  return image;
}

/** A whole number of pixels that keeps the box inside the image. */
function shift(exact: number): number {
  return Math.max(0, Math.min(IMAGE_SIZE - BOX_SIZE, Math.round(exact)));
}
