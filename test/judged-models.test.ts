/** Every program judges a model by the same check: what one refuses, all refuse, with the same sentence. */

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { before, describe, it, test } from 'node:test';
import { evaluateModel } from '../evaluator/evaluate.js';
import type { ProgramContext } from '../lib/cli/program.js';
import { DataError } from '../lib/core/errors.js';
import type { Weights } from '../lib/core/weights.js';
import { writeShard } from '../lib/formats/data/shard-file.js';
import { writeKerasFile } from '../lib/formats/keras/keras-hdf5.js';
import { kerasConfig } from '../lib/model/keras/keras-model.js';
import type { Layer } from '../lib/model/layers/registry.js';
import { initialWeights } from '../lib/model/parameters.js';
import { silentReporter } from '../lib/observability/events.js';
import { byPlace } from '../lib/settings/setting.js';
import { loadServedModel } from '../server/models/load-model.js';
import { readStartingPoint } from '../trainer/starting-point.js';
import { partsOf } from './datasets.js';
import { activation, dense, flatten, imageModel } from './layers.js';
import { quarterExamples, runProgramFile } from './programs.js';
import { readSources } from './sources.js';
import { sharedDirectory } from './temporary-directory.js';

const EXAMPLES = quarterExamples(60, 1);
const INPUT = [12, 12, 1];

let directory: string;
const path = (name: string) => join(directory, `${name}.h5`);

const context: ProgramContext = { reporter: silentReporter, signal: new AbortController().signal };
const engine = { name: 'onnx', backend: 'cpu' } as const;
const training = { epochs: 1, batch: 20, optimizer: 'adam', learningRate: 0.001, momentum: 0 } as const;

/** What each program does with a model before it computes. */
const PROGRAMS: Readonly<Record<string, (model: string) => Promise<unknown>>> = {
  evaluate: (model) =>
    evaluateModel({ model, data: join(directory, '0.npz'), batchSize: 20, engine, threads: 1 }, context),
  train: (init) =>
    readStartingPoint(
      {
        ...{ data: join(directory, '0.npz'), init, model: 'mlp', client: 0, round: 1, seed: 0, threads: 1 },
        ...{ training, optimizer: {}, engine },
      },
      { tell: () => {}, named: byPlace },
    ),
  serve: async (modelPath) => {
    const { session } = await loadServedModel({ modelPath, engine, threads: 1 });
    await session.dispose();
  },
};

/** Writes a model of these layers with Keras' initial weights, or with what `change` makes of them. */
async function write(
  name: string,
  layers: readonly Layer[],
  change: (weights: Weights) => Weights = (weights) => weights,
): Promise<void> {
  const description = imageModel(layers, INPUT);
  const weights = change(initialWeights(description, 1));
  await writeKerasFile(path(name), {
    modelConfig: kerasConfig(description),
    weights,
    kerasVersion: '2.15.0',
  });
}

const filled = (value: number) => (weights: Weights) =>
  weights.map((array, at) => (at === 0 ? { ...array, values: array.values.map(() => value) } : array));

const LOGITS = [flatten, dense('logits', 4)];

before(async () => {
  directory = sharedDirectory();
  await writeShard(join(directory, '0.npz'), EXAMPLES);
});

describe('every program', () => {
  for (const [what, layers, sentence, change] of [
    [
      'one class',
      [flatten, dense('one', 1, 'softmax')],
      /: expected a classifier of at least 2 classes, found one of 1\.$/,
    ],
    [
      'weights that are no numbers',
      [flatten, dense('d', 4, 'softmax')],
      /: expected weights to compute with, found a model that holds NaN in d\/kernel:0 at position 0\.$/,
      filled(Number.NaN),
    ],
    [
      'weights beyond all numbers',
      [flatten, dense('d', 4, 'softmax')],
      /: expected weights to compute with, found a model that has weights of norm .*, whose square float32 cannot hold\.$/,
      filled(1e30),
    ],
  ] as const) {
    it(`refuses ${what}`, async () => {
      await write('bad', layers, change);
      for (const [program, use] of Object.entries(PROGRAMS)) {
        await assert.rejects(use(path('bad')), (error: unknown) => {
          assert.ok(error instanceof DataError, `${program}: ${error}`);
          assert.equal(error.problem.file, path('bad'));
          assert.match(error.message, sentence, program);
          return true;
        });
      }
    });
  }

  for (const [what, layers, file, sentence] of [
    [
      'logits',
      LOGITS,
      'bad.h5',
      /: expected a classifier that ends in a softmax, for the labels of \S+0\.npz, found logits of the last layer, logits\. To mend it: keras\.Sequential\(\[\*model\.layers, keras\.layers\.Softmax\(\)\]\)/,
    ],
    [
      'a sigmoid of each class',
      [flatten, dense('ten', 4, 'sigmoid')],
      '0.npz',
      /: expected 4 numbers for each example, one for each output of the model, found labels\.$/,
    ],
    [
      'features',
      [flatten],
      'bad.h5',
      /ends in a softmax, for the labels of \S+, found the last layer flatten\.$/,
    ],
  ] as const) {
    it(`that has labels refuses ${what}; who has none takes them for numbers`, async () => {
      await write('bad', layers);
      const { serve, ...others } = PROGRAMS;
      await serve?.(path('bad'));
      for (const [program, use] of Object.entries(others)) {
        await assert.rejects(use(path('bad')), (error: unknown) => {
          assert.ok(error instanceof DataError, `${program}: ${error}`);
          assert.equal(error.problem.file, join(directory, file));
          assert.match(error.message, sentence, program);
          return true;
        });
      }
    });
  }

  it('takes the same model with the softmax that was missing, and finds its true loss', async () => {
    await write('bad', LOGITS);
    const [kernel, bias] = initialWeights(imageModel(LOGITS, INPUT), 1).map(({ values }) => values);
    await write('good', [...LOGITS, activation('softmax', 'softmax'), activation('nothing', 'linear')]);
    await PROGRAMS.train?.(path('good'));
    await PROGRAMS.serve?.(path('good'));
    const found = (await PROGRAMS.evaluate?.(path('good'))) as { readonly loss: number };
    // −log softmax, in double precision.
    const losses = [...partsOf(EXAMPLES).labels].map((label, row) => {
      const scores = [0, 1, 2, 3].map((unit) =>
        [...partsOf(EXAMPLES).images.subarray(row * 144, row * 144 + 144)].reduce(
          (sum, pixel, at) => sum + (Number(pixel) / 255) * (kernel?.[at * 4 + unit] as number),
          bias?.[unit] ?? 0,
        ),
      );
      return Math.log(scores.reduce((sum, score) => sum + Math.exp(score), 0)) - (scores[label] as number);
    });
    const expected = losses.reduce((sum, loss) => sum + loss, 0) / losses.length;
    assert.ok(Math.abs(found.loss - expected) < 1e-5, `${found.loss}, expected ${expected}`);
  });

  it('ends with exit code 3, and writes no report', async () => {
    await write('bad', LOGITS);
    const flags = ['--model', path('bad'), '--data', join(directory, '0.npz')];
    const { exitCode, stdout, stderr } = await runProgramFile('evaluator/cli', flags);
    assert.equal(exitCode, 3, stderr);
    assert.equal(stdout, '');
    assert.match(
      stderr,
      /expected a classifier that ends in a softmax, for the labels of \S+, found logits of the last layer, logits/,
    );
  });
});

test('a model is read from a file by the function that judges it, and by no other', () => {
  const readers = readSources().filter(
    ({ path: file, text }) =>
      /describeKerasConfig/.test(text) &&
      !/^(lib\/model|lib\/engine\/conformance|test)\/|\.test\.ts$/.test(file),
  );
  assert.deepEqual(
    readers.map(({ path: file }) => file),
    [],
  );
});
