/** Makes the sample pictures: generated digits as pen on paper, to click on or to upload. */

import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import { writeDigit } from '../datasets/digits/digit.js';
import type { Blot, Ink } from '../datasets/digits/hand.js';
import { rasterise } from '../datasets/digits/rasterise.js';
import { isMain } from '../lib/cli/program.js';
import { randomStream } from '../lib/core/random.js';
import { writeFileAtomic } from '../lib/formats/files/atomic-file.js';

/** Which of the endless digits to show; drawn from streams that no dataset uses, chosen by eye for
 * variety (but `digit-1-b`, which was chosen because the model of a default run reads it: it is weak at a 1 with a flag). */
const CHOSEN: readonly (readonly [label: number, indices: readonly number[]])[] = [
  [0, [1, 2]],
  [1, [5, 7]],
  [2, [2, 5]],
  [3, [11]],
  [4, [4, 9]],
  [5, [14, 7]],
  [6, [7]],
  [7, [6, 16]],
  [8, [6]],
  [9, [14]],
];

/** A sample picture. */
interface SamplePicture {
  /** File name with the label in it: `digit-7-a.png`. */
  readonly name: string;
  readonly label: number;
  readonly png: Uint8Array;
}

/** Side of a picture and of one unit of the 20 × 20 box in it, in pixels: the box with a margin around it. */
const SIDE = 280;
const SCALE = 10;
const MARGIN = 4;
/** How sharp the pen is on paper, in units of the box. */
const SOFTNESS = 0.2;
const SMOOTHING_PASSES = 8;

/** All sample pictures, the same bytes each time (with the same version of sharp). */
export async function makeSamples(): Promise<readonly SamplePicture[]> {
  const pictures = CHOSEN.flatMap(([label, indices]) =>
    indices.map(async (index, at) => ({
      name: `digit-${label}-${String.fromCharCode(97 + at)}.png`,
      label,
      png: await drawOnPaper(label, index),
    })),
  );
  return await Promise.all(pictures);
}

/**
 * Dark ink on white paper, as people write and photograph digits: the server turns it into what its model knows,
 * and the page shows that turning. Drawn from the strokes at this size, so nothing is blurred by enlarging.
 */
async function drawOnPaper(label: number, index: number): Promise<Uint8Array> {
  const { strokes } = writeDigit(label, randomStream(0, 'samples', label, index));
  const placed = strokes.map((stroke) =>
    steady(stroke).map(({ x, y, radius }) => ({ x: x + MARGIN, y: y + MARGIN, radius })),
  );
  const ink = rasterise(placed, { size: SIDE, scale: SCALE, softness: SOFTNESS });
  return await sharp(
    ink.map((value) => 255 - value),
    { raw: { width: SIDE, height: SIDE, channels: 1 } },
  )
    .toColourspace('b-w')
    .png({ compressionLevel: 9, palette: true, colours: 16 })
    .toBuffer();
}

/** Evens a stroke out: what is the ragged edge of a scan at 20 pixels would look like a caterpillar at 200. */
function steady(stroke: Ink): Ink {
  let even = stroke;
  for (let pass = 0; pass < SMOOTHING_PASSES; pass++) even = even.map((_, at) => blend(even, at));
  return even;
}

/** A blot mixed half and half with its two neighbours; the ends of a stroke stay where they are. */
function blend(stroke: Ink, at: number): Blot {
  const blot = stroke[at] as Blot;
  const [before, after] = [stroke[at - 1], stroke[at + 1]];
  const mix = (of: (blot: Blot) => number) =>
    0.5 * of(blot) + 0.25 * (of(before ?? blot) + of(after ?? blot));
  const radius = mix((each) => each.radius);
  if (before === undefined || after === undefined) return { ...blot, radius };
  return { x: mix((each) => each.x), y: mix((each) => each.y), radius };
}

if (isMain(import.meta.url)) {
  // The compiled module lies in dist/samples.
  const directory = fileURLToPath(new URL('../../samples/', import.meta.url));
  for (const { name, png } of await makeSamples()) await writeFileAtomic(join(directory, name), png);
}
