/** From the bytes of an uploaded picture to a model's inputs: plain data that one process may send another. */
import type { Size } from '../../lib/digits/grey-image.js';
import { type Prepared, type PrepareOptions, preparing } from '../../lib/digits/preprocess.js';
import { inSteps } from '../../lib/system/in-steps.js';
import { decodeImage, type GivenImage } from './decode-image.js';

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
