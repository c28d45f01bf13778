/** From the bytes of an uploaded image to upright RGBA pixels, within limits that hold before any pixel is decoded. */
import sharp, { type Metadata, type Sharp } from 'sharp';
import { sniffImageType } from './image-type.js';
import { HttpProblem } from './problems.js';

/** An image of 8-bit RGBA, not premultiplied. */
export interface RgbaImage {
  readonly width: number;
  readonly height: number;
  /** `[height, width, 4]`, row-major. */
  readonly values: Uint8Array;
}

/** An uploaded picture, upright and no larger than the server works with. */
export interface GivenImage extends RgbaImage {
  /** Its size, upright, as it was given. */
  readonly original: { readonly width: number; readonly height: number };
}

/** 40 megapixels: more than a phone's camera makes, and at most some 160 MB while it is decoded. */
export const MAX_INPUT_PIXELS = 40_000_000;

/** Larger pictures are shrunk to this side at once: far more detail than any model input here, and cheap. */
const WORKING_SIDE = 512;
/** A picture within the limits decodes in well under a second; one made to be slow is given up. */
const DECODE_TIMEOUT_SECONDS = 10;

// The loaders of libvips that may ever run in this process: what image-type.ts lets through and nothing else.
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
// Every upload is another picture: a cache of decoded ones would only hold memory.
sharp.cache(false);
// Requests run beside each other already; more threads for one picture gain nothing.
sharp.concurrency(1);

/**
 * Decodes an image (the first frame of an animation), turned as its EXIF orientation says, at most 512 pixels a side.
 *
 * @throws {HttpProblem} 415 for bytes that are no image of a known kind, 413 for too many pixels, 422 for damaged ones.
 */
export async function decodeImage(bytes: Uint8Array): Promise<GivenImage> {
  if (bytes.length === 0) throw new HttpProblem(422, 'The file is empty.');
  const sniffed = sniffImageType(bytes);
  if (!sniffed.readable) {
    throw new HttpProblem(
      415,
      `Expected a PNG, JPEG, WebP, GIF or AVIF image, found ${sniffed.found}.${hint(sniffed.found)}`,
    );
  }
  const damaged = (cause: unknown) =>
    new HttpProblem(422, `The ${sniffed.type} image is damaged or incomplete and cannot be read.`, { cause });
  const headers = () => openImage(bytes, false).metadata().catch(rethrow(damaged));
  const { data, info } = await openImage(bytes, MAX_INPUT_PIXELS)
    .timeout({ seconds: DECODE_TIMEOUT_SECONDS })
    .autoOrient()
    .resize({ width: WORKING_SIDE, height: WORKING_SIDE, fit: 'inside', withoutEnlargement: true })
    .toColourspace('srgb')
    .ensureAlpha()
    .raw({ depth: 'uchar' })
    .toBuffer({ resolveWithObject: true })
    .catch(async (cause: unknown) => {
      // libvips refused it by its header, before it took memory; the header says why.
      checkPixels(await headers());
      throw damaged(cause);
    });
  const { width, height } = info;
  // Only what has been shrunk had another size; asking costs as much as decoding a small picture.
  const original = Math.max(width, height) < WORKING_SIDE ? { width, height } : (await headers()).autoOrient;
  return { width, height, values: data, original };
}

/** The picture as a PNG in a `data:` address, for pages that work without JavaScript. */
export async function toDataUrl(
  values: Uint8Array,
  shape: readonly [number, number, number],
): Promise<string> {
  const [height, width, channels] = shape;
  const png = await sharp(values, { raw: { width, height, channels: channels as 1 | 3 | 4 } })
    .png()
    .toBuffer();
  return `data:image/png;base64,${png.toString('base64')}`;
}

function openImage(bytes: Uint8Array, limitInputPixels: number | false): Sharp {
  return sharp(bytes, { limitInputPixels, failOn: 'error', pages: 1 });
}

/** @throws {HttpProblem} 413 for more pixels than are accepted */
function checkPixels({ width, height }: Metadata): void {
  if (width * height <= MAX_INPUT_PIXELS) return;
  throw new HttpProblem(
    413,
    `The image has ${width} × ${height} pixels; at most ${MAX_INPUT_PIXELS / 1e6} million are accepted.`,
  );
}

function hint(found: string): string {
  return found === 'a HEIC photo' ? ' Share or export the photo as JPEG.' : '';
}

function rethrow(toProblem: (cause: unknown) => HttpProblem): (cause: unknown) => never {
  return (cause) => {
    throw toProblem(cause);
  };
}
