/**
 * From the bytes of an uploaded image to upright RGBA pixels, within limits that hold before any pixel is decoded, and
 * to a model's inputs.
 */
import type { Metadata, Sharp } from 'sharp';
import type { RgbaImage } from '../../lib/digits/colour-planes.js';
import type { Size } from '../../lib/digits/grey-image.js';
import {
  type InputShape,
  type Prepared,
  type PrepareOptions,
  preparing,
} from '../../lib/digits/preprocess.js';
import { rescale, UNIT_SCALE } from '../../lib/federation/pixel-scale.js';
import { decodePlainPng, pngSides } from '../../lib/formats/files/png.js';
import { MAX_INPUT_PIXELS, MAX_SIDE, sharp } from '../../lib/formats/sources/pictures/decode.js';
import { HttpProblem } from '../../lib/http/problems.js';
import { inSteps } from '../../lib/system/slots.js';
import type { RequestTensor } from '../codecs/tensor.js';
import type { ServedInput } from '../models/served-facts.js';
import { type ImageType, sniffImageType } from './image-type.js';

/** An uploaded picture, upright and no larger than the server works with. */
export interface GivenImage extends RgbaImage {
  /** Its size, upright, as it was given. */
  readonly original: { readonly width: number; readonly height: number };
}

/** Larger pictures are shrunk to this side at once: far more detail than any model input here, and cheap. */
const WORKING_SIDE = 512;
/**
 * A picture within the limits takes the processor for well under a second; one made to be slow is given up. On a busy
 * machine honest ones may take many times as long.
 */
const DECODE_TIMEOUT_SECONDS = 30;

/** What the header of an image tells. */
export interface Sides {
  readonly type: ImageType;
  readonly width: number;
  readonly height: number;
}

/**
 * The sides of an image as its header tells them, before anything is decoded.
 *
 * @throws {HttpProblem} 415 for bytes that are no image of a known kind, 413 for too many pixels, 422 for damaged ones.
 */
export async function readSides(bytes: Uint8Array): Promise<Sides> {
  const sides = sidesInHeader(bytes);
  if (sides !== undefined) return requireBounded(sides);
  const type = knownType(bytes);
  const { width, height } = await headersOf(bytes, type);
  return requireBounded({ type, width, height });
}

/** The same where its first bytes alone tell them, without any library. @throws {HttpProblem} 415 and 422 likewise */
export function sidesInHeader(bytes: Uint8Array): Sides | undefined {
  const type = knownType(bytes);
  if (type !== 'PNG') return undefined;
  // Asking libvips costs as much as decoding a small picture.
  const sides = pngSides(bytes);
  if (sides === undefined) throw damaged(type);
  return { type, ...sides };
}

function knownType(bytes: Uint8Array): ImageType {
  if (bytes.length === 0) throw new HttpProblem(422, 'The file is empty.');
  const sniffed = sniffImageType(bytes);
  if (sniffed.readable) return sniffed.type;
  throw new HttpProblem(
    415,
    `Expected a PNG, JPEG, WebP, GIF or AVIF image, found ${sniffed.found}.${hint(sniffed.found)}`,
  );
}

/** The same sides. @throws {HttpProblem} 413 for too many pixels */
export function requireBounded(sides: Sides): Sides {
  const { width, height } = sides;
  if (width * height <= MAX_INPUT_PIXELS && Math.max(width, height) <= MAX_SIDE) return sides;
  throw new HttpProblem(
    413,
    `The image has ${width} × ${height} pixels; at most ${MAX_INPUT_PIXELS / 1e6} million are accepted, ${MAX_SIDE} a side.`,
  );
}

function headersOf(bytes: Uint8Array, type: ImageType): Promise<Metadata> {
  return openImage(bytes, false)
    .metadata()
    .catch((cause: unknown) => {
      throw damaged(type, cause);
    });
}

/**
 * Decodes an image (the first frame of an animation), turned as its EXIF orientation says, at most 512 pixels a side.
 *
 * @throws {HttpProblem} as readSides does
 */
export async function decodeImage(bytes: Uint8Array): Promise<GivenImage> {
  const { type } = await readSides(bytes);
  const plain = type === 'PNG' ? decodePlainPng(bytes, WORKING_SIDE) : undefined;
  if (plain !== undefined) return { ...plain, original: { width: plain.width, height: plain.height } };
  const { data, info } = await decode(bytes, type);
  const { width, height } = info;
  // Only what has been shrunk had another size; asking costs as much as decoding a small picture.
  const isAsGiven = Math.max(width, height) < WORKING_SIDE;
  const original = isAsGiven ? { width, height } : (await headersOf(bytes, type)).autoOrient;
  return { width, height, values: data, original };
}

function decode(bytes: Uint8Array, type: ImageType) {
  return openImage(bytes, MAX_INPUT_PIXELS)
    .timeout({ seconds: DECODE_TIMEOUT_SECONDS })
    .autoOrient()
    .resize({ width: WORKING_SIDE, height: WORKING_SIDE, fit: 'inside', withoutEnlargement: true })
    .toColourspace('srgb')
    .ensureAlpha()
    .raw({ depth: 'uchar' })
    .toBuffer({ resolveWithObject: true })
    .catch((cause: unknown) => {
      throw damaged(type, cause);
    });
}

function damaged(type: ImageType, cause?: unknown): HttpProblem {
  const isSlow = cause instanceof Error && /^timeout/.test(cause.message);
  const what = isSlow
    ? `takes more than ${DECODE_TIMEOUT_SECONDS} s to read`
    : 'is damaged or incomplete and cannot be read';
  return new HttpProblem(422, `The ${type} image ${what}.`, { cause });
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

function hint(found: string): string {
  return found === 'a HEIC photo' ? ' Share or export the photo as JPEG.' : '';
}

/** A picture as a model is given it. */
export interface PreparedImage extends Prepared {
  /** The sides that it was worked with: upright, at most 512 pixels. */
  readonly size: Size;
  /** Its sides, upright, as it was given. */
  readonly original: Size;
  /** The picture of that size, where it is to be shown. */
  readonly given?: GivenImage;
}

/** Decodes a picture and makes a model's inputs of it. @throws {HttpProblem} as `decodeImage` does */
export async function prepareImage(bytes: Uint8Array, options: PrepareOptions): Promise<PreparedImage> {
  const given = await decodeImage(bytes);
  const { width, height, original } = given;
  const prepared = await inSteps(preparing(given, options));
  return { ...prepared, size: { width, height }, original, ...(options.isShown ? { given } : {}) };
}

/** What a picture is prepared for. */
export function pictureOptions({ shape }: Pick<ServedInput, 'shape'>): PrepareOptions {
  return { shape: pictureShape(shape), subject: 'picture' };
}

/** A prepared picture as one example of an input. */
export function pictureTensor(
  { parts }: Pick<Prepared, 'parts'>,
  { shape, scale }: Pick<ServedInput, 'shape' | 'scale'>,
): RequestTensor {
  const [height, width, channels] = pictureShape(shape);
  const input = parts[0]?.[0]?.candidates[0]?.input;
  if (input === undefined) throw new RangeError('a prepared picture has no parts');
  const values = Float32Array.from(input.values);
  rescale(values, { channels, from: UNIT_SCALE, to: scale ?? UNIT_SCALE });
  return { shape: [1, height, width, channels], values };
}

function pictureShape([height = 1, width = 1, channels = 1]: readonly number[]): InputShape {
  return [height, width, channels];
}
