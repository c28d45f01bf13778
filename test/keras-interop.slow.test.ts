/** Python Keras 2 and 3 open what we write and predict what they should: the slow tier, see scripts/interop-keras.sh. */

import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { own } from '../lib/core/own.js';
import type { WeightArray } from '../lib/core/weights.js';
import { predict } from '../lib/engine/conformance/engine-runs.js';
import { GRADIENT_CASES, LAYER_CASES, unevenWeights } from '../lib/engine/conformance/problems.js';
import { writeCompilation } from '../lib/engine/keras-compilation.js';
import { optimizerOf } from '../lib/engine/local-training.js';
import { plainOnnxEngine } from '../lib/engine/onnx/onnx-engine.js';
import { LOSS_NAMES, parseLoss, writeLoss } from '../lib/federation/loss.js';
import { readShard } from '../lib/formats/data/dataset.js';
import type { KerasFile } from '../lib/formats/keras/keras-file.js';
import { readKerasFile, writeKerasFile } from '../lib/formats/keras/keras-hdf5.js';
import {
  describeKerasConfig,
  kerasConfig,
  modelFromKeras,
  writtenVersion,
} from '../lib/model/keras/keras-model.js';
import type { Model, ModelDescription } from '../lib/model/model-description.js';
import { fitInputs } from '../lib/model/model-input.js';
import { describeModel } from '../lib/model/model-zoo.js';
import { OPTIMIZER_NAMES, type OptimizerName } from '../lib/model/optimizers/optimizer-names.js';
import { inputShape } from '../lib/model/parameters.js';
import { newModel } from '../trainer/zoo-model.js';
import {
  functionalFixtures,
  functionalInputs,
  functionalModel,
  PREDICTED,
  trainFunctional,
} from './functional-fixtures.js';
import { fixedImages, fixturePath, KERAS_FIXTURES, kerasExpectation } from './keras-fixtures.js';
import { CLASSES, dense, imageModel } from './layers.js';
import { runProgramFile } from './programs.js';
import {
  fixedInputs,
  settingGroups,
  trainAsKeras,
  trainedModel,
  trainedTolerance,
} from './setting-fixtures.js';
import { sharedDirectory } from './temporary-directory.js';

// Seen from dist/test/.
const SCRIPT = fileURLToPath(new URL('../../test/keras_interop.py', import.meta.url));
const UPDATE = { client: 4, round: 2, examples: 600, parent: 'ab'.repeat(32) };
const TOLERANCE = 1e-5;

interface Request {
  readonly path: string;
  readonly inputs: readonly { readonly shape: readonly number[]; readonly values: readonly number[] }[];
}

/** What a model says of a batch, for each of its outputs: `[n][classes]`. */
type Outputs = readonly (readonly (readonly number[])[])[];

interface Answer {
  readonly version: string;
  /** `[request][compiled, not compiled]` */
  readonly predictions: readonly (readonly Outputs[])[];
}

async function ask(python: string, requests: readonly Request[]): Promise<Answer> {
  const { stdout } = await execa(python, [SCRIPT], { input: JSON.stringify(requests) });
  return JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as Answer;
}

function request(path: string, inputShape: readonly number[]): Request {
  return { path, inputs: [{ shape: [2, ...inputShape], values: [...fixedImages(2, inputShape)] }] };
}

/** The examples of which `functionalFixtures` says what Keras predicts. */
function functionalRequest(path: string, description: ModelDescription): Request {
  const values = functionalInputs(description, PREDICTED, 50);
  const inputs = description.inputs.map(({ shape }, at) => ({
    shape: [PREDICTED, ...shape],
    values: [...(values[at] ?? [])],
  }));
  return { path, inputs };
}

/** Both kinds of file that Keras writes. */
const ENDINGS = ['h5', 'keras'] as const;

/** 100 layers with names so long that their list takes several attributes; the last has what the first was given. */
function deepModel(): KerasFile {
  const names = Array.from({ length: 100 }, (_, index) => `${'dense'.repeat(140)}_${index}`);
  const input = { class_name: 'InputLayer', config: { name: 'input_1', batch_input_shape: [null, 2] } };
  const layers = names.map((name) => ({ class_name: 'Dense', config: { name, units: 2, use_bias: false } }));
  const weights: WeightArray[] = names.map((name, index) => ({
    name: `${name}/kernel:0`,
    shape: [2, 2],
    // Swaps the two numbers in every layer but the first.
    values: index === 0 ? Float32Array.of(1, 0, 0, 1) : Float32Array.of(0, 1, 1, 0),
  }));
  const modelConfig = {
    class_name: 'Sequential',
    config: { name: 'sequential', layers: [input, ...layers] },
  };
  return { modelConfig, weights, kerasVersion: '2.15.0' };
}

const VERSIONS = [
  { major: 2, python: process.env.FEDBATCH_KERAS2_PYTHON, opens: /^(keras2|tf113)-/ },
  // Keras 3 itself opens neither layer names with slashes (keras2-named) nor the initializers of TF 1.13.
  { major: 3, python: process.env.FEDBATCH_KERAS3_PYTHON, opens: /^(keras2|keras3)-(?!named)/ },
] as const;

for (const { major, python, opens } of VERSIONS) {
  const skip = python === undefined && `set FEDBATCH_KERAS${major}_PYTHON to a Python with Keras ${major}`;
  describe(`Python Keras ${major}`, { skip }, () => {
    let directory: string;
    before(async () => {
      directory = sharedDirectory();
    });

    it('predicts the same with the files that we write of its models, compiled or not', async () => {
      const names = KERAS_FIXTURES.filter((name) => opens.test(name));
      assert.ok(names.length >= 5);
      const requests = await Promise.all(
        names.map(async (name) => {
          const path = join(directory, `${name}.h5`);
          await writeKerasFile(path, { ...(await readKerasFile(fixturePath(`${name}.h5`))), update: UPDATE });
          return request(path, kerasExpectation(name).inputShape);
        }),
      );
      const { version, predictions } = await ask(python as string, requests);
      assert.ok(version.startsWith(`${major}.`), `Keras ${version}`);
      for (const [index, name] of names.entries()) {
        for (const answer of predictions[index] ?? [])
          assertClose(answer, [kerasExpectation(name).predictions], name);
      }
    });

    it('predicts what we do with models of every layer and activation that we write', async () => {
      const models: Readonly<Record<string, ModelDescription>> = {
        ...LAYER_CASES,
        ...GRADIENT_CASES,
        'leaky relu': imageModel([dense('a', 6, 'leaky_relu'), dense('b', CLASSES, 'softmax')], [5]),
        exponential: imageModel([dense('a', 6, 'exponential'), dense('b', CLASSES, 'softmax')], [5]),
        resnet: describeModel('resnet', { inputShape: [8, 8, 3], outputs: CLASSES }),
      };
      const cases = await Promise.all(
        Object.entries(models).map(async ([name, description], index) => {
          const weights = unevenWeights(description);
          // As many archives as HDF5 files.
          const path = join(directory, `layers-${index}.${index % 2 === 0 ? 'h5' : 'keras'}`);
          await writeKerasFile(path, {
            modelConfig: kerasConfig(description),
            weights,
            kerasVersion: '2.15.0',
          });
          const asked = request(path, inputShape(description));
          const images = fixedImages(2, inputShape(description));
          const ours = await predict(
            plainOnnxEngine,
            { description, weights },
            { inputs: [images], count: 2 },
          );
          return { name, asked, rows: [[...ours.slice(0, CLASSES)], [...ours.slice(CLASSES)]] };
        }),
      );
      const { predictions } = await ask(
        python as string,
        cases.map(({ asked }) => asked),
      );
      for (const [index, { name, rows }] of cases.entries())
        for (const answer of predictions[index] ?? []) assertClose(answer, [rows], name);
      assert.equal(predictions.length, cases.length);
    });

    it('predicts with the files of models that were trained here what it does after its own training', async () => {
      const cases = settingGroups(`${major}`).flatMap((group) =>
        group.cases.flatMap(({ setting, changed, trained }) => {
          const description = trainedModel(group, changed);
          if (trained === undefined || description === undefined) return [];
          const what = `${group.layer.class_name}.${setting}`;
          // Keras 3.15 does not read its own .h5 files of them either: of several axes it takes the last one alone.
          if (major === 3 && /^(Layer|Unit)?Normalization\.axis$/.test(what)) return [];
          return [{ group, description, expected: trained.predictions, what }];
        }),
      );
      const requests: Request[] = [];
      for (const [index, { group, description }] of cases.entries()) {
        const { model } = await trainAsKeras(plainOnnxEngine, { group, description });
        const path = join(directory, `trained-${index}.${ENDINGS[index % 2]}`);
        await writeKerasFile(path, {
          modelConfig: kerasConfig(description),
          weights: model.weights,
          kerasVersion: writtenVersion(description),
        });
        const values = [...fixedInputs(group, 1, 50)];
        requests.push({ path, inputs: [{ shape: [1, ...group.inputShape], values }] });
      }
      const { predictions } = await ask(python as string, requests);
      for (const [index, { group, expected, what }] of cases.entries())
        for (const answer of predictions[index] ?? [])
          assertClose(answer, [[expected]], what, trainedTolerance(group));
      assert.ok(cases.length > 100, `${cases.length}`);
    });

    it('opens models compiled here, with every loss and every optimizer', async () => {
      // The .h5 reader of Keras 2 knows neither AdamW nor Lion.
      const kinds = OPTIMIZER_NAMES.filter((kind) => major === 3 || !/^(adamw|lion)$/.test(kind));
      const parameters = [{}, { delta: 2 }, { fromLogits: true }, { labelSmoothing: 0.1 }];
      const losses = LOSS_NAMES.flatMap((name) =>
        parameters.flatMap((each) => parseLoss(writeLoss({ name, ...each })) ?? []),
      );
      const ends = {
        categorical_crossentropy: 'softmax',
        binary_crossentropy: 'sigmoid',
        poisson: 'exponential',
      };
      const requests = await Promise.all(
        losses.map(async (loss, index) => {
          const activation = own(ends as Readonly<Record<string, 'softmax'>>, loss.name) ?? 'linear';
          const task = {
            inputShape: [4],
            outputs: 3,
            activation: loss.fromLogits ? ('linear' as const) : activation,
          };
          const { file } = newModel('mlp', { task, seed: index });
          const kind = kinds[index % kinds.length] as OptimizerName;
          const optimizer = optimizerOf({ optimizer: kind, learningRate: 0.01, momentum: (index % 2) / 2 });
          const path = join(directory, `compiled-${index}.h5`);
          await writeKerasFile(path, { ...file, trainingConfig: writeCompilation({ loss, optimizer }) });
          return request(path, [4]);
        }),
      );
      assert.ok(requests.length > kinds.length);
      for (const [compiled, plain] of (await ask(python as string, requests)).predictions)
        assertClose(compiled ?? [], plain ?? [], 'compiled');
    });

    it('predicts with functional models, as they came and after a training here, what it does itself', async () => {
      const cases: { readonly asked: Request; readonly expected: Outputs; readonly what: string }[] = [];
      // Keras 3.15 does not open its own .h5 files with masks, whose operations are layers there that it does not find.
      const isOpened = ({ name }: { readonly name: string }) => major === 2 || !/^mask(ed|s)$/.test(name);
      for (const { name, predictions, trained } of functionalFixtures(`${major}`).filter(isOpened)) {
        const { file, model } = await functionalModel(name, `${major}`);
        const after = (await trainFunctional(plainOnnxEngine, model)).model;
        const write = async (given: Model, expected: readonly (readonly number[])[], what: string) => {
          for (const ending of ENDINGS) {
            // Keras 2 has other names for the parts of attention in an archive.
            if (major === 2 && ending === 'keras' && /^(attention|heads)$/.test(name)) continue;
            const path = join(directory, `${name}-${what}.${ending}`);
            await writeKerasFile(path, { ...file, weights: given.weights, update: UPDATE });
            const rows = expected.map((values) => rowsOf(values, PREDICTED));
            const asked = functionalRequest(path, given.description);
            cases.push({ asked, expected: rows, what: `${name}, ${what}, .${ending}` });
          }
        };
        await write(model, predictions, 'as it came');
        await write(after, trained, 'trained');
      }
      const { predictions } = await ask(
        python as string,
        cases.map(({ asked }) => asked),
      );
      for (const [index, { expected, what }] of cases.entries())
        for (const answer of predictions[index] ?? []) assertClose(answer, expected, what);
      assert.ok(cases.length >= 7 * 4, `${cases.length}`);
    });

    it('predicts the same with its own archives and with what we write of them, in both kinds of file', async () => {
      const requests: Request[] = [];
      // Keras 3 does not open the archives of Keras 2 that normalise batches.
      const names = major === 2 ? ['keras2-archive'] : ['keras3-archive', 'keras3-archive-nested'];
      for (const name of names) {
        const file = await readKerasFile(fixturePath(`${name}.keras`));
        const shape = inputShape(describeKerasConfig(file.modelConfig, { kerasVersion: file.kerasVersion }));
        requests.push(request(fixturePath(`${name}.keras`), shape));
        for (const ending of ENDINGS) {
          const path = join(directory, `${name}-again.${ending}`);
          await writeKerasFile(path, { ...file, update: UPDATE });
          requests.push(request(path, shape));
        }
      }
      const { predictions } = await ask(python as string, requests);
      for (const [index, { path }] of requests.entries()) {
        const [expected] = predictions[index - (index % 3)] ?? [];
        assert.ok(expected !== undefined);
        for (const answer of predictions[index] ?? []) assertClose(answer, expected, path);
      }
      assert.equal(predictions.length, 3 * names.length);
    });

    it('opens models with lists of names that take several attributes', async () => {
      const path = join(directory, 'deep.h5');
      await writeKerasFile(path, deepModel());
      const { predictions } = await ask(python as string, [
        { path, inputs: [{ shape: [1, 2], values: [0.25, 4] }] },
      ]);
      // 99 swaps.
      for (const answer of predictions[0] ?? []) assertClose(answer, [[[4, 0.25]]], 'deep');
    });

    it('predicts with raw numbers of a table what we do, by the Normalization in the file', async () => {
      const data = join(directory, 'loans.csv');
      const rows = Array.from({ length: 60 }, (_, row) => {
        const city = ['Basel', 'Bern', 'Chur'][row % 3];
        return `${1e4 + 1500 * row},${18 + ((row * 7) % 60)},${city},${row % 2 === 0 ? 'yes' : 'no'}`;
      });
      await writeFile(data, `income,age,city,paid\n${rows.join('\n')}\n`);
      const split = ['--data', data, '--clients', '2', '--out', join(directory, 'loans')];
      assert.equal((await runProgramFile('splitter/cli', split)).exitCode, 0);
      for (const ending of ENDINGS) {
        const path = join(directory, `loans.${ending}`);
        const shard = join(directory, 'loans', '0.npz');
        const init = await runProgramFile('trainer/init-cli', [
          ...['--data', shard, '--out', path, '--model', 'mlp', '--seed', '3'],
        ]);
        assert.equal(init.exitCode, 0, init.stderr);
        const model = modelFromKeras(await readKerasFile(path), path);
        const { inputs } = fitInputs(model, await readShard(shard), shard);
        const count = 5;
        const given = inputs.map(({ shape: [, ...one], values }) => ({
          shape: [count, ...one],
          values: [...values.subarray(0, (count * values.length) / (inputs[0].shape[0] as number))],
        }));
        assert.ok((given[0]?.values[0] ?? 0) >= 1e4);
        const batch = given.map(({ values }) => Float32Array.from(values));
        const ours = await predict(plainOnnxEngine, model, { inputs: batch, count });
        const { predictions } = await ask(python as string, [{ path, inputs: given }]);
        for (const answer of predictions[0] ?? [])
          assertClose(answer, [rowsOf([...ours], count)], `loans.${ending}`);
      }
    });

    it('opens what init and aggregate write', async () => {
      const model = join(directory, 'initial.h5');
      const data = join(directory, 'data.npz');
      await execa(python as string, [
        '-c',
        'import sys, numpy as np; np.savez(sys.argv[1], x=np.zeros((20, 28, 28), "uint8"), y=np.arange(20) % 10)',
        data,
      ]);
      const init = await runProgramFile('trainer/init-cli', ['--data', data, '--out', model]);
      assert.equal(init.exitCode, 0, init.stderr);
      const mean = join(directory, 'mean.h5');
      // Two plain models count the same: the mean of a model and itself is that model.
      const copy = join(directory, 'copy.h5');
      await writeKerasFile(copy, await readKerasFile(model));
      const { exitCode, stderr } = await runProgramFile('aggregator/cli', [model, copy, '--out', mean]);
      assert.equal(exitCode, 0, stderr);
      const { predictions } = await ask(python as string, [
        request(model, [28, 28, 1]),
        request(mean, [28, 28, 1]),
      ]);
      const [first = []] = predictions[0] ?? [];
      assert.equal(first[0]?.length, 2);
      for (const answer of predictions.flat()) assertClose(answer, first, 'mean');
      for (const row of first.flat())
        assert.ok(Math.abs(row.reduce((sum, value) => sum + value, 0) - 1) < TOLERANCE);
    });
  });
}

/** `[n * classes]` as `[n][classes]`. */
function rowsOf(values: readonly number[], count: number): readonly (readonly number[])[] {
  const size = values.length / count;
  return Array.from({ length: count }, (_, row) => values.slice(row * size, (row + 1) * size));
}

function assertClose(found: Outputs, expected: Outputs, what: string, tolerance = TOLERANCE): void {
  const shapeOf = (outputs: Outputs) => outputs.map((rows) => rows.map(({ length }) => length));
  assert.deepEqual(shapeOf(found), shapeOf(expected), what);
  const values = found.flat(2);
  for (const [at, value] of expected.flat(2).entries())
    assert.ok(Math.abs((values[at] as number) - value) < tolerance, `${what}: ${found} is not ${expected}`);
}
