/** Some examples of a file to look at: their numbers, without the rest of the file in memory, and as pictures. */
import { stat } from 'node:fs/promises';
import { MAX_PIXEL, parseScale, UNIT_SCALE } from '../../federation/pixel-scale.js';
import type { Pixels } from '../files/png.js';
import type { Manifest } from '../manifest.js';
import { openLargeNpz } from './streamed/npz-rows.js';

/** A larger file is not searched for a few examples. */
const MOST_BYTES = 256e6;
/** Pixels of a picture on each side; of a larger one some are left out. */
const MOST_PIXELS = 64;

/**
 * The inputs of these examples, by their places; nothing where there are several inputs, or the file is large, gone or
 * damaged: that is another reader's to complain of.
 */
export async function readInputsOf(
  file: string,
  examples: readonly number[],
): Promise<ReadonlyMap<number, Float64Array>> {
  return await readInputs(file, examples).catch(() => new Map<number, Float64Array>());
}

async function readInputs(
  file: string,
  examples: readonly number[],
): Promise<ReadonlyMap<number, Float64Array>> {
  const found = new Map<number, Float64Array>();
  if ((await stat(file)).size > MOST_BYTES) return found;
  const archive = await openLargeNpz(file, 0);
  if (!archive?.names.includes('x')) return found;
  const { shape, pieces } = await archive.rows('x');
  const [rows = 0, ...one] = shape;
  const size = one.reduce((product, extent) => product * extent, 1);
  const places = examples.filter((example) => example < rows);
  const last = Math.max(-1, ...places);
  let first = 0;
  for await (const values of pieces()) {
    const next = first + values.length / size;
    for (const place of places) {
      if (place < first || place >= next) continue;
      const from = (place - first) * size;
      found.set(place, Float64Array.from(values.slice(from, from + size) as ArrayLike<number>, Number));
    }
    first = next;
    if (first > last) break;
  }
  return found;
}

/** The pixels of an image `[h, w, c]`, from black to white; nothing for images of other channels than one or three. */
export function picturedImage(
  values: ArrayLike<number>,
  image: NonNullable<Manifest['image']>,
): Pixels | undefined {
  const [height = 1, width = 1, channels = 1] = image.shape;
  if (channels !== 1 && channels !== 3) return undefined;
  const usual = image.dtype === 'uint8' ? { black: [0], white: [MAX_PIXEL] } : UNIT_SCALE;
  const { black, white } = (image.scale === undefined ? undefined : parseScale(image.scale)) ?? usual;
  const step = Math.ceil(Math.max(width, height) / MOST_PIXELS);
  const [columns, rows] = [Math.ceil(width / step), Math.ceil(height / step)];
  const pixels = new Uint8ClampedArray(rows * columns * channels);
  for (let at = 0; at < pixels.length; at++) {
    const channel = at % channels;
    const column = Math.floor(at / channels) % columns;
    const row = Math.floor(at / (channels * columns));
    const value = values[(row * step * width + column * step) * channels + channel] as number;
    const [dark, light] = [black[channel] ?? black[0] ?? 0, white[channel] ?? white[0] ?? 1];
    pixels[at] = (255 * (value - dark)) / (light - dark);
  }
  return { width: columns, height: rows, channels, values: new Uint8Array(pixels.buffer) };
}
