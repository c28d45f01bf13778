/** Small examples that tell which they are, so that tests can follow each of them through files. */
import type { Examples } from '../lib/federation/examples.js';
import { encodeNpz, type NamedArray } from '../lib/formats/data/npz.js';

/** Examples `from` … `from + count - 1`: 2×2 images that spell their number; classes 0 to 4 in turn. */
export function numberedExamples(count: number, from = 0): Examples {
  const images = new Uint8Array(count * 4);
  const view = new DataView(images.buffer);
  const labels = new Int32Array(count);
  for (let index = 0; index < count; index++) {
    view.setUint32(index * 4, from + index);
    labels[index] = (from + index) % 5;
  }
  return { shape: [count, 2, 2], images, labels };
}

/** The numbers of such examples, in their order. @throws {Error} when an image has come apart from its label. */
export function numbersOf({ images, labels }: Examples): number[] {
  const view = new DataView(images.buffer, images.byteOffset);
  return [...labels].map((label, index) => {
    const number = view.getUint32(index * 4);
    if (number % 5 !== label) throw new Error(`image ${number} has label ${label}`);
    return number;
  });
}

/** The npz of a dataset: `x_train` … where there are test examples, else `x`, `y`. */
export async function encodeDataset(train: Examples, test?: Examples): Promise<Uint8Array> {
  const arrays = (part: Examples, suffix: string): NamedArray[] => [
    { name: `x${suffix}`, shape: part.shape, values: part.images },
    { name: `y${suffix}`, shape: [part.labels.length], values: part.labels },
  ];
  return await encodeNpz(
    test === undefined ? arrays(train, '') : [...arrays(train, '_train'), ...arrays(test, '_test')],
  );
}
