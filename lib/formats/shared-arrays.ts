/** Arrays in memory that threads share: one copy, however many threads look at it. */
import type { Weights } from '../core/weights.js';
import type { ImageValues } from '../federation/examples.js';

/** A copy of weights in shared memory. */
export function shareWeights(weights: Weights): Weights {
  return weights.map((array) => ({ ...array, values: copyToShared(array.values, Float32Array) }));
}

/** The same image values in shared memory. */
export function shareImages(images: ImageValues): ImageValues {
  if (images instanceof Uint8Array) return shareArray(images, Uint8Array);
  return images instanceof Float32Array ? shareArray(images, Float32Array) : shareArray(images, Float64Array);
}

/** `values` itself where it is in shared memory already, else a copy there. */
export function shareArray<A extends ImageValues | Int32Array>(
  values: A,
  View: new (buffer: SharedArrayBuffer) => A,
): A {
  return values.buffer instanceof SharedArrayBuffer ? values : copyToShared(values, View);
}

function copyToShared<A extends ImageValues | Int32Array>(
  values: A,
  View: new (buffer: SharedArrayBuffer) => A,
): A {
  const shared = new View(new SharedArrayBuffer(values.byteLength));
  shared.set(values);
  return shared;
}
