/**
 * Labelled examples: what a dataset and a shard hold, whatever file they come from, and which of them clients of a
 * simulation have.
 */

/** More classes than any image set has (ImageNet-21k: 21,841); a larger label is a mistake in the file. */
export const MAX_CLASSES = 65_536;

/** Image values as they lie in the file; `uint8` means 0 to 255, floats are used as they are. */
export type ImageValues = Uint8Array | Float32Array | Float64Array;

/** Labelled images, dtype and shape as in their source. */
export interface Examples {
  /** `[n, h, w]` or `[n, h, w, c]`. */
  readonly shape: readonly number[];
  /** Row-major; length is the product of `shape`. */
  readonly images: ImageValues;
  /** Class of each image, from 0; length n. */
  readonly labels: Int32Array;
}

/** numpy's name of the dtype of image values. */
type ImageDtype = 'uint8' | 'float32' | 'float64';

/** A dataset: examples to train on and, where it brings them, held-out ones to test on. */
export interface Dataset {
  readonly train: Examples;
  readonly test?: Examples;
}

/** The part of `examples` at `indices`, in that order. */
export function takeExamples(examples: Examples, indices: ArrayLike<number>): Examples {
  const sizePerExample = examples.images.length / Math.max(1, examples.labels.length);
  const images = sameKind(examples.images, indices.length * sizePerExample);
  const labels = new Int32Array(indices.length);
  for (let to = 0; to < indices.length; to++) {
    const from = indices[to] as number;
    images.set(
      examples.images.subarray(from * sizePerExample, (from + 1) * sizePerExample),
      to * sizePerExample,
    );
    labels[to] = examples.labels[from] as number;
  }
  return { shape: [indices.length, ...examples.shape.slice(1)], images, labels };
}

/** The examples of all `parts`, at least one, which share dtype and image shape, one part after the other. */
export function concatExamples(parts: readonly Examples[]): Examples {
  const [first] = parts;
  if (first === undefined) throw new RangeError('there are no examples to put together');
  const sum = (sizeOf: (part: Examples) => number) => parts.reduce((all, part) => all + sizeOf(part), 0);
  const images = sameKind(
    first.images,
    sum((part) => part.images.length),
  );
  const labels = new Int32Array(sum((part) => part.labels.length));
  let [image, label] = [0, 0];
  for (const part of parts) {
    images.set(part.images, image);
    labels.set(part.labels, label);
    image += part.images.length;
    label += part.labels.length;
  }
  return { shape: [labels.length, ...first.shape.slice(1)], images, labels };
}

/** Number of classes that `labels` need: the largest label and one. */
export function countClasses(...labels: readonly Int32Array[]): number {
  return labels.reduce((most, part) => part.reduce((max, label) => Math.max(max, label + 1), most), 0);
}

/** How many examples of each class 0 … `classes`-1 there are. */
export function labelHistogram(labels: Int32Array, classes: number): number[] {
  const histogram = new Array<number>(classes).fill(0);
  for (const label of labels) histogram[label] = (histogram[label] ?? 0) + 1;
  return histogram;
}

/** Height, width and channels of one image; `[n, h, w]` has one channel. */
export function imageShape(examples: Examples): readonly [height: number, width: number, channels: number] {
  const [, height = 0, width = 0, channels = 1] = examples.shape;
  return [height, width, channels];
}

/** The dtype of image values, as numpy names it. */
export function imageDtype(values: ImageValues): ImageDtype {
  if (values instanceof Uint8Array) return 'uint8';
  return values instanceof Float32Array ? 'float32' : 'float64';
}

function sameKind(values: ImageValues, length: number): ImageValues {
  if (values instanceof Uint8Array) return new Uint8Array(length);
  return values instanceof Float32Array ? new Float32Array(length) : new Float64Array(length);
}

/** Which of the training examples the clients have, client by client. */
export interface VirtualShards {
  /** Indices of all clients' examples, one client after the other. */
  readonly indices: Int32Array;
  /** Client k's begin at element k and end before element k + 1. */
  readonly offsets: Int32Array;
}

/** The indices of one client's examples; a view. */
export function shardIndices({ indices, offsets }: VirtualShards, client: number): Int32Array {
  return indices.subarray(offsets[client], offsets[client + 1]);
}

/** Number of clients. */
export function virtualClients({ offsets }: VirtualShards): number {
  return offsets.length - 1;
}
