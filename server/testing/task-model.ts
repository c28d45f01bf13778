/** Real model files for any inputs and any task, with weights of a seed, on a volume whose manifest says what their numbers mean. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writeKerasFile } from '../../lib/formats/keras/keras-hdf5.js';
import { type Manifest, writeManifest } from '../../lib/formats/manifest.js';
import { kerasConfig } from '../../lib/model/keras/keras-model.js';
import { describeModel } from '../../lib/model/model-zoo.js';
import { initialWeights } from '../../lib/model/parameters.js';

/** What a model takes, answers, and what is known of it. */
export interface TaskModel {
  readonly inputs: readonly {
    readonly name: string;
    readonly shape: readonly number[];
    readonly below?: number;
  }[];
  readonly outputs: number;
  readonly activation: 'softmax' | 'sigmoid' | 'linear';
  /** What the manifest says of the data; without it there is none. */
  readonly data?: Pick<Manifest, 'inputs' | 'classNames' | 'target'>;
  /** The lines of labels.txt. */
  readonly labels?: readonly string[];
}

const SHA256 = 'ab'.repeat(32);

/** Writes the files of a model below `directory`. Returns the path of the model's. */
export async function writeTaskModel(
  directory: string,
  { inputs, outputs, activation, data, labels }: TaskModel,
): Promise<string> {
  const description = describeModel('mlp', { inputShape: [1], outputs, activation, inputs }, [8]);
  await mkdir(join(directory, 'data'), { recursive: true });
  const modelPath = join(directory, 'model.h5');
  await writeKerasFile(modelPath, {
    modelConfig: kerasConfig(description),
    kerasVersion: '2.15.0',
    weights: initialWeights(description, 7),
  });
  const file = { examples: 1, sizeBytes: 1, sha256: SHA256 };
  const targets = { targets: { kind: 'numbers', size: outputs } } as const;
  const classes = data?.classNames && { classes: data.classNames.length };
  const counted = classes && { labelHistogram: [1, ...new Array<number>(classes.classes - 1).fill(0)] };
  if (data !== undefined)
    await writeManifest(join(directory, 'data', 'manifest.json'), {
      schemaVersion: 1,
      dataset: { file: 'data.csv', sha256: SHA256, testFraction: 0.1 },
      partition: { scheme: 'iid', minExamples: 1, seed: 7 },
      ...(classes ?? targets),
      ...data,
      shards: [{ file: '0.npz', ...file, ...counted }],
      test: { file: 'test.npz', ...file, ...counted },
    });
  if (labels !== undefined) await writeFile(join(directory, 'labels.txt'), labels.join('\n'));
  return modelPath;
}

/** Flowers of a table: two numbers and a category, told apart by name. */
export const FLOWERS: TaskModel = {
  inputs: [
    { name: 'numbers', shape: [2] },
    { name: 'soil', shape: [1], below: 4 },
  ],
  outputs: 3,
  activation: 'softmax',
  data: {
    classNames: ['iris', 'rose', 'tulip'],
    target: { column: 'species' },
    inputs: [
      {
        name: 'numbers',
        shape: [2],
        dtype: 'float32',
        columns: ['width', 'height'],
        units: { width: 'cm', height: 'cm' },
        missing: { height: 1.5 },
        statistics: { values: 9, mean: [2, 3], variance: [1, 1], least: [0.5, 1], most: [4, 12.25] },
      },
      { name: 'soil', shape: [1], dtype: 'int32', columns: ['soil'], categories: ['clay', 'loam', 'sand'] },
    ],
  },
};

/** Prices of a table: numbers alone, one of which may be a category that is not known. */
export const HOUSES: TaskModel = {
  inputs: [
    { name: 'numbers', shape: [3] },
    { name: 'town', shape: [1], below: 3 },
  ],
  outputs: 1,
  activation: 'linear',
  data: {
    target: { column: 'price', unit: 'kEUR' },
    inputs: [
      {
        name: 'numbers',
        shape: [3],
        dtype: 'float32',
        columns: ['area', 'rooms', 'year'],
        units: { area: 'm²' },
      },
      {
        name: 'town',
        shape: [1],
        dtype: 'int32',
        columns: ['town'],
        categories: ['Basel', 'Bern'],
        missing: { town: 'unknown' },
      },
    ],
  },
};

/** A colour picture and two numbers; yes or no. */
export const SKIN: TaskModel = {
  inputs: [
    { name: 'photo', shape: [16, 16, 3] },
    { name: 'patient', shape: [2] },
  ],
  outputs: 1,
  activation: 'sigmoid',
  labels: ['harmless', 'suspicious'],
  data: {
    inputs: [
      { name: 'photo', shape: [16, 16, 3], dtype: 'uint8' },
      { name: 'patient', shape: [2], dtype: 'float32', columns: ['age', 'size'], units: { age: 'years' } },
    ],
  },
};

/** A colour picture, of which several things may hold. */
export const SCENES: TaskModel = {
  inputs: [{ name: 'photo', shape: [16, 16, 3] }],
  outputs: 4,
  activation: 'sigmoid',
  labels: ['sea', 'sky', 'trees', 'people'],
};
