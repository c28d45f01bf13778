/** From stored examples to what a model takes: floats, whole numbers scaled from 0…255 to 0…1. */
import type { Examples } from '../federation/examples.js';
import { MAX_PIXEL } from '../federation/pixel-scale.js';

/** The images at `picks` as `[picks.length, h, w, c]`; floats are taken as they are. */
export function batchImages(examples: Examples, picks: ArrayLike<number>): Float32Array {
  const sizePerImage = examples.images.length / Math.max(1, examples.labels.length);
  const scale = examples.images instanceof Uint8Array ? 1 / MAX_PIXEL : 1;
  const batch = new Float32Array(picks.length * sizePerImage);
  for (let to = 0; to < picks.length; to++) {
    const from = (picks[to] as number) * sizePerImage;
    const base = to * sizePerImage;
    for (let at = 0; at < sizePerImage; at++)
      batch[base + at] = (examples.images[from + at] as number) * scale;
  }
  return batch;
}
