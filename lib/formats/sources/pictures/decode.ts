/** Pictures from their files to pixels of one size, upright as their EXIF data say, several at the same time. */
import { readFile } from 'node:fs/promises';
import sharp from 'sharp';
import { DataError } from '../../../core/errors.js';
import { pngSides } from '../../files/png.js';
import type { OnReadProgress } from '../source-kind.js';

// The loaders of libvips that may ever run in this process, and nothing else.
sharp.block({ operation: ['VipsForeignLoad'] });
sharp.unblock({
  operation: [
    'VipsForeignLoadPng',
    'VipsForeignLoadJpeg',
    'VipsForeignLoadWebp',
    'VipsForeignLoadNsgif',
    'VipsForeignLoadHeif',
  ],
});
// Every picture is another one: a cache of decoded ones would only hold memory.
sharp.cache(false);
// Pictures are decoded beside each other already; more threads for one gain nothing.
sharp.concurrency(1);

/** 40 megapixels: more than a phone's camera makes, and at most some 160 MB while it is decoded. */
export const MAX_INPUT_PIXELS = 40_000_000;

/**
 * The most that JPEG, GIF and AV1 can say. A PNG may say more: rows of a million pixels take ten times the memory of the
 * picture, and forty million rows a second for each six million.
 */
export const MAX_SIDE = 65_535;

export { sharp };

/** What the head of a picture tells. */
interface PictureHead {
  readonly file: string;
  /** Upright. */
  readonly height: number;
  readonly width: number;
  readonly isGrey: boolean;
}

/** What pictures are brought to. */
export interface PictureForm {
  /** Height and width. */
  readonly size: readonly [number, number];
  readonly channels: 1 | 3;
  readonly onProgress?: OnReadProgress | undefined;
}

/** Decoders that work at the same time: libuv's threads, and some in waiting. */
const AT_ONCE = 8;

/** Reads the heads of pictures alone. @throws {DataError} by the file for what is no picture */
export function pictureHeads(files: readonly string[]): Promise<readonly PictureHead[]> {
  return inTurn(files, async (file) => {
    const { autoOrient, space, channels } = await opened(file, (image) => image.metadata());
    const { height, width } = autoOrient;
    return { file, height, width, isGrey: space === 'b-w' || space === 'grey16' || channels <= 2 };
  });
}

/**
 * Pixels `[n, h, w]` or `[n, h, w, 3]`; what is transparent lies on white, other sizes are brought to this one.
 *
 * @throws {DataError} by the file for what cannot be decoded
 */
export async function decodePictures(
  files: readonly string[],
  { size: [height, width], channels, onProgress }: PictureForm,
): Promise<Uint8Array> {
  const length = height * width * channels;
  let done = 0;
  const values = new Uint8Array(files.length * length);
  await inTurn(files, async (file, at) => {
    const pixels = await opened(file, (image) =>
      image
        .autoOrient()
        .flatten({ background: '#ffffff' })
        .resize({ height, width, fit: 'fill' })
        .toColourspace(channels === 1 ? 'b-w' : 'srgb')
        .raw({ depth: 'uchar' })
        .toBuffer(),
    );
    values.set(pixels, at * length);
    onProgress?.({ done: ++done, total: files.length, unit: 'examples' });
  });
  return values;
}

async function opened<T>(file: string, use: (image: ReturnType<typeof sharp>) => Promise<T>): Promise<T> {
  const bytes = await readFile(file);
  const { width = 0, height = 0 } = pngSides(bytes) ?? {};
  if (Math.max(width, height) > MAX_SIDE) {
    const expected = `a picture of at most ${MAX_SIDE} pixels a side`;
    throw new DataError({ file, expected, found: 'a larger one' });
  }
  try {
    return await use(sharp(bytes, { limitInputPixels: MAX_INPUT_PIXELS, failOn: 'error', pages: 1 }));
  } catch (cause) {
    const message = cause instanceof Error ? cause.message.split('\n', 1)[0] : '';
    const isLarge = /pixel limit/.test(message ?? '');
    const expected = isLarge
      ? `a picture of at most ${MAX_INPUT_PIXELS / 1e6} million pixels`
      : 'a PNG, JPEG, WebP, GIF or AVIF picture';
    throw new DataError(
      { file, expected, found: isLarge ? 'a larger one' : 'a damaged one, or another file' },
      { cause },
    );
  }
}

/** All results in the order of the files, some at the same time. */
async function inTurn<T>(
  files: readonly string[],
  work: (file: string, at: number) => Promise<T>,
): Promise<T[]> {
  const results = new Array<T>(files.length);
  let next = 0;
  const worker = async () => {
    while (next < files.length) {
      const at = next++;
      results[at] = await work(files[at] as string, at);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return results;
}
