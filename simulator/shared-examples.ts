/** Examples in memory that all threads share: one copy, however many workers there are. */
import type { Examples, ImageValues } from '../lib/federation/examples.js';
import type { Weights } from '../lib/federation/weights.js';

/** The same examples, their arrays in shared memory. */
export function shareExamples({ shape, images, labels }: Examples): Examples {
  return { shape, images: shareImages(images), labels: shareInto(labels, Int32Array) };
}

/** The same weights, their values in shared memory: a round's start for all clients. */
export function shareWeights(weights: Weights): Weights {
  return weights.map((array) => ({ ...array, values: shareInto(array.values, Float32Array) }));
}

function shareImages(images: ImageValues): ImageValues {
  if (images instanceof Uint8Array) return shareInto(images, Uint8Array);
  return images instanceof Float32Array ? shareInto(images, Float32Array) : shareInto(images, Float64Array);
}

/** A typed array over a buffer. */
type Over<A> = new (buffer: SharedArrayBuffer) => A;

function shareInto<A extends ImageValues | Int32Array>(values: A, View: Over<A>): A {
  const shared = new View(new SharedArrayBuffer(values.byteLength));
  shared.set(values);
  return shared;
}
