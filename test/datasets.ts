/** Datasets for tests: a tiny one, numbered examples that can be followed through files, and the real MNIST where it is. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { randomStream } from '../lib/core/random.js';
import { examplesOfRows } from '../lib/federation/example-rows.js';
import {
  type Dataset,
  type Examples,
  type ExampleValues,
  labelledImages,
} from '../lib/federation/examples.js';
import type { OwnedDataset } from '../lib/formats/data/dataset-source.js';
import { encodeNpz, type NamedArray } from '../lib/formats/data/npz.js';
import { writeShard } from '../lib/formats/data/shard-file.js';

const SIDE = 8;
const CLASSES = 4;

/** Writes `count` images of a bright bar in one of four rows, with noise, to `tiny.npz` in `directory`; its path. */
export async function writeTinyDataset(directory: string, count = 360): Promise<string> {
  const random = randomStream(1, 'tiny dataset');
  const images = new Uint8Array(count * SIDE * SIDE);
  const labels = new Int32Array(count);
  for (let image = 0; image < count; image++) {
    const label = image % CLASSES;
    labels[image] = label;
    for (let pixel = 0; pixel < SIDE * SIDE; pixel++) {
      const isBar = Math.floor(pixel / SIDE) === 2 * label;
      images[image * SIDE * SIDE + pixel] = random.integer(0, 160) + (isBar ? 75 : 0);
    }
  }
  const path = join(directory, 'tiny.npz');
  await writeShard(path, labelledImages([count, SIDE, SIDE], images, labels));
  return path;
}

/** Path of mnist.npz: `FEDBATCH_MNIST`, else `../shared/datasets/mnist.npz`; undefined where there is none. */
export function findMnist(): string | undefined {
  const path =
    process.env.FEDBATCH_MNIST ??
    fileURLToPath(new URL('../../../shared/datasets/mnist.npz', import.meta.url));
  return existsSync(path) ? path : undefined;
}

/** Examples `from` … `from + count - 1`: 2×2 images that spell their number; classes 0 to 4 in turn. */
export function numberedExamples(count: number, from = 0): Examples {
  const images = new Uint8Array(count * 4);
  const view = new DataView(images.buffer);
  const labels = new Int32Array(count);
  for (let index = 0; index < count; index++) {
    view.setUint32(index * 4, from + index);
    labels[index] = (from + index) % 5;
  }
  return labelledImages([count, 2, 2], images, labels);
}

/** Images and labels of examples that have these. */
export function partsOf({ inputs: [{ shape, values: images }], targets }: Examples) {
  return { shape, images, labels: targets[0].values as Int32Array };
}

/** The same examples with other images or labels. */
export function withParts(
  examples: Examples,
  parts: { readonly images?: ExampleValues; readonly labels?: Int32Array },
): Examples {
  const { shape, images, labels } = { ...partsOf(examples), ...parts };
  return labelledImages(shape, images, labels);
}

/** The numbers of such examples, in their order. @throws {Error} when an image has come apart from its label. */
export function numbersOf(examples: Examples): number[] {
  const { images, labels } = partsOf(examples);
  const view = new DataView(images.buffer, images.byteOffset);
  return [...labels].map((label, index) => {
    const number = view.getUint32(index * 4);
    if (number % 5 !== label) throw new Error(`image ${number} has label ${label}`);
    return number;
  });
}

/** The npz of a dataset: `x_train` … where there are test examples, else `x`, `y`. */
export async function encodeDataset(train: Examples, test?: Examples): Promise<Uint8Array> {
  const arrays = ({ inputs: [{ shape, values }], targets }: Examples, suffix: string): NamedArray[] => [
    { name: `x${suffix}`, shape, values },
    { ...targets[0], name: `y${suffix}` },
  ];
  return await encodeNpz(
    test === undefined ? arrays(train, '') : [...arrays(train, '_train'), ...arrays(test, '_test')],
  );
}

/** What a source holds, all of its examples in memory. */
export interface WholeDataset extends Dataset, Pick<OwnedDataset, 'ownership' | 'facts'> {}

/** Loads it. */
export async function loadWhole(source: { load(): Promise<OwnedDataset> }): Promise<WholeDataset> {
  const { train, test, ...others } = await source.load();
  const whole = { ...others, train: await examplesOfRows(train) };
  return test === undefined ? whole : { ...whole, test: await examplesOfRows(test) };
}
