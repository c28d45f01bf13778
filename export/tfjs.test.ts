/** Folders for TensorFlow.js, opened by TensorFlow.js itself: the same predictions, or a refusal by name; its classes are those that we know. */
import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { before, describe, it } from 'node:test';
import type * as Tf from '@tensorflow/tfjs';
import { UsageError } from '../lib/core/errors.js';
import { predict } from '../lib/engine/conformance/engine-runs.js';
import { LAYER_CASES, SLOPE_CASES, unevenWeights } from '../lib/engine/conformance/problems.js';
import { plainOnnxEngine } from '../lib/engine/onnx/onnx-engine.js';
import { camelCase } from '../lib/engine/tensorflow/keras-dialect.js';
import { TENSORFLOW_CLASSES } from '../lib/engine/tensorflow/known-layers.js';
import { loadRuntime } from '../lib/engine/tensorflow/runtime.js';
import { activation } from '../lib/model/layers/activation.js';
import type { NamedLayer } from '../lib/model/layers/layer-module.js';
import { LAYER_MODULES } from '../lib/model/layers/registry.js';
import type { Model } from '../lib/model/model-description.js';
import { describeModel } from '../lib/model/model-zoo.js';
import { inputShape } from '../lib/model/parameters.js';
import { exportFile, fileOf } from '../test/exports.js';
import {
  functionalFixtures,
  functionalInputs,
  functionalModel,
  PREDICTED,
  predictFunctional,
} from '../test/functional-fixtures.js';
import { fixedImages } from '../test/keras-fixtures.js';
import { CLASSES, dense, imageModel } from '../test/layers.js';
import { sharedDirectory } from '../test/temporary-directory.js';

const TOLERANCE = 1e-5;

const { tf } = await loadRuntime('cpu');

let directory: string;
before(async () => {
  directory = sharedDirectory();
});

/** What a page does, with a folder in the place of a server. */
function openFolder(folder: string): Promise<Tf.LayersModel> {
  return tf.loadLayersModel({
    async load() {
      const { weightsManifest, ...others } = JSON.parse(await readFile(join(folder, 'model.json'), 'utf8'));
      const [{ paths, weights }] = weightsManifest as readonly [
        { readonly paths: readonly string[]; readonly weights: Tf.io.WeightsManifestEntry[] },
      ];
      const parts = await Promise.all(paths.map((path) => readFile(join(folder, path))));
      const data = Uint8Array.from(Buffer.concat(parts)).buffer;
      return { ...others, weightSpecs: weights, weightData: data };
    },
  });
}

async function answersOf(
  folder: string,
  inputs: readonly Float32Array[],
  count: number,
): Promise<readonly Float32Array[]> {
  const model = await openFolder(folder);
  const given = model.inputs.map(({ shape }, at) =>
    tf.tensor(inputs[at] as Float32Array, [count, ...(shape.slice(1) as number[])]),
  );
  const outputs = [model.predict(given.length === 1 ? (given[0] as Tf.Tensor) : given)].flat();
  const found = await Promise.all(outputs.map(async (each) => (await each.data()) as Float32Array));
  model.dispose();
  return found;
}

function assertClose(found: readonly Float32Array[], wanted: readonly Float32Array[], what: string): void {
  assert.deepEqual(
    found.map(({ length }) => length),
    wanted.map(({ length }) => length),
    what,
  );
  for (const [output, values] of wanted.entries())
    for (const [at, value] of values.entries()) {
      const other = found[output]?.[at] as number;
      assert.ok(Math.abs(other - value) < TOLERANCE, `${what}: ${other} is not ${value}`);
    }
}

/** LSTMs along a sequence in both directions: their variables are called after both. */
const bothWays = imageModel(
  [
    {
      ...{ kind: 'bidirectional', name: 'both', mergeMode: 'concat' },
      layer: {
        ...{ kind: 'lstm', name: 'inner', units: 3, cellActivation: 'tanh', recurrentActivation: 'sigmoid' },
        ...{ useBias: true, unitForgetBias: true, returnSequences: false, goBackwards: false },
        zeroOutputForMask: false,
      } as NamedLayer,
    },
    dense('end', CLASSES, 'softmax'),
  ],
  [6, 2],
);

/** Exports a model and compares, unless it is refused; tells the sentence. */
async function compare(name: string, model: Model): Promise<string | undefined> {
  try {
    const { output } = await exportFile(fileOf(model), 'tfjs', { directory });
    // The class that our engine gives the library is in no page.
    assert.doesNotMatch(await readFile(join(output, 'model.json'), 'utf8'), /"class_name":"Normalization"/);
    const inputs = [fixedImages(2, inputShape(model.description))];
    const wanted = await predict(plainOnnxEngine, model, { inputs, count: 2 });
    assertClose(await answersOf(output, inputs, 2), [wanted], name);
    return undefined;
  } catch (error) {
    if (error instanceof UsageError) return error.message;
    throw error;
  }
}

describe('a folder for TensorFlow.js', () => {
  it('predicts what the engine does with models of every layer that TensorFlow.js has; others are refused by name', async () => {
    const refused: string[] = [];
    const models = { ...LAYER_CASES, ...SLOPE_CASES, 'LSTMs both ways': bothWays };
    for (const [name, description] of Object.entries(models)) {
      const sentence = await compare(name, { description, weights: unevenWeights(description) });
      if (sentence === undefined) continue;
      assert.match(sentence, /cannot be written as a model of TensorFlow\.js: layer .*TensorFlow\.js has no/);
      refused.push(name);
    }
    assert.deepEqual(refused.sort(), [
      'Bidirectional',
      'Cropping1D',
      'GRU',
      'GroupNormalization',
      'Masking',
      'ThresholdedReLU',
      'UnitNormalization',
      'UpSampling1D',
      'ZeroPadding1D',
      'batch normalization of rows, and of columns',
    ]);
    assert.deepEqual(await readdir(directory), ['model-tfjs', 'model.h5'], 'of a refusal nothing is left');
  });

  it('predicts what the engine does with several inputs and outputs, words and shortcuts', async () => {
    const opened: string[] = [];
    for (const { name } of functionalFixtures('3')) {
      const { file, model } = await functionalModel(name, '3');
      const made = await exportFile(file, 'tfjs', { directory }).catch((error: unknown) => {
        assert.ok(error instanceof UsageError, `${error}`);
      });
      if (made === undefined) continue;
      opened.push(name);
      const inputs = functionalInputs(model.description, PREDICTED, 50);
      assertClose(
        await answersOf(made.output, inputs, PREDICTED),
        await predictFunctional(plainOnnxEngine, model),
        name,
      );
    }
    assert.deepEqual(opened, ['shared', 'nested', 'outputs']);
  });

  it('says what it is, and keeps large weights in pieces of 4 MB', async () => {
    const description = describeModel('mlp', { inputShape: [1100], outputs: 3 }, [1200]);
    const model = { description, weights: unevenWeights(description) };
    const { output, facts } = await exportFile(fileOf(model), 'tfjs', { directory, name: 'wide' });
    assert.deepEqual((await readdir(output)).sort(), [
      'group1-shard1of2.bin',
      'group1-shard2of2.bin',
      'model.json',
    ]);
    const opened = await openFolder(output);
    assert.deepEqual(opened.getUserDefinedMetadata(), JSON.parse(JSON.stringify(facts)));
    const inputs = [fixedImages(1, [1100])];
    const wanted = await predict(plainOnnxEngine, model, { inputs, count: 1 });
    assertClose(await answersOf(output, inputs, 1), [wanted], 'wide');
  });
});

it('the classes that TensorFlow.js is said to have are those of ours that it has', () => {
  const { classNameMap } = tf.serialization.SerializationMap.getMap();
  const activations = activation.expected.replace('one of ', '').split(', ').map(camelCase);
  const ours = [
    ...LAYER_MODULES.flatMap(({ keras }) => keras.map(({ names: [name] }) => name)),
    ...activations,
  ];
  const wanted = ours.filter((name) => Object.hasOwn(classNameMap, name));
  assert.deepEqual([...TENSORFLOW_CLASSES].sort(), [...new Set(wanted)].sort());
});
