/** The worst mistakes of the accuracy test, with what the model was given, read out of the test examples. */

import { MAX_PIXEL, parseScale, UNIT_SCALE } from '../lib/federation/pixel-scale.js';
import type { AccuracyRecord } from '../lib/formats/accuracy-record.js';
import type { NpyRows } from '../lib/formats/data/array-rows.js';
import { openLargeNpz } from '../lib/formats/data/streamed/npz-rows.js';
import { encodePng, type Pixels } from '../lib/formats/files/png.js';
import { featureNames } from '../lib/formats/keras/data-names.js';
import type { Manifest } from '../lib/formats/manifest.js';

/** A mistake as the test records it. */
type Mistake = NonNullable<AccuracyRecord['mistakes']>[number];

/** A mistake that can be looked at: as a picture, or as the numbers of some features. */
export type PicturedMistake = Mistake & {
  /** A PNG file in base64. */
  readonly png?: string | undefined;
  readonly features?: readonly (readonly [name: string, value: number])[] | undefined;
};

/** A larger file is not searched for a few examples. */
const MOST_BYTES = 256e6;
/** Pixels of a picture on each side; of a larger one some are left out. */
const MOST_PIXELS = 64;
/** More features than these are no row that a person reads. */
const MOST_FEATURES = 12;

/** Reads the examples of the mistakes; where they are not at hand, or no pictures and no few numbers, the mistakes alone. */
export async function readMistakes(
  mistakes: readonly Mistake[],
  { manifest, test }: { readonly manifest: Manifest | undefined; readonly test: string },
): Promise<readonly PicturedMistake[]> {
  if (manifest === undefined || manifest.test.sizeBytes > MOST_BYTES) return mistakes;
  // Pictures adorn a report: a file that is gone or damaged is another stage's to complain of.
  const given = await readInputs(test, mistakes).catch(() => undefined);
  if (given === undefined) return mistakes;
  return mistakes.map((mistake) => {
    const values = given.get(mistake.example);
    return values === undefined ? mistake : { ...mistake, ...shown(values, manifest) };
  });
}

type Numbers = ArrayLike<number>;

/** The inputs of these examples, by their numbers; nothing where there are several inputs, or they are no numbers. */
async function readInputs(
  file: string,
  wanted: readonly Mistake[],
): Promise<ReadonlyMap<number, Numbers> | undefined> {
  const archive = await openLargeNpz(file, 0);
  if (!archive?.names.includes('x')) return undefined;
  const { shape, pieces }: NpyRows = await archive.rows('x');
  const [rows = 0, ...one] = shape;
  const size = one.reduce((product, extent) => product * extent, 1);
  const places = wanted.map(({ example }) => example).filter((example) => example < rows);
  const last = Math.max(-1, ...places);
  const found = new Map<number, Numbers>();
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

function shown(values: Numbers, { image, inputs = [] }: Manifest): Pick<PicturedMistake, 'png' | 'features'> {
  if (image !== undefined) {
    const pixels = pixelsOf(values, image);
    return pixels === undefined ? {} : { png: Buffer.from(encodePng(pixels)).toString('base64') };
  }
  const [input] = inputs;
  if (input === undefined || values.length > MOST_FEATURES) return {};
  return { features: featureNames(input, values.length).map((name, at) => [name, values[at] as number]) };
}

/** Grey or coloured pixels; of images of other channels nothing. */
function pixelsOf(values: Numbers, image: NonNullable<Manifest['image']>): Pixels | undefined {
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
