/** Models with layers that only TensorFlow.js builds predict what Keras predicts, train, and are refused by name elsewhere. */

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { fixedImages } from '../../../test/keras-fixtures.js';
import { DataError, ModelError } from '../../core/errors.js';
import { sizeOf } from '../../core/weights.js';
import { decodeKerasFile, encodeKerasFile, readKerasFile } from '../../formats/keras/keras-hdf5.js';
import { describeKerasConfig, modelFromKeras } from '../../model/keras/keras-model.js';
import { foreignLayers } from '../../model/layers/foreign.js';
import { sequential as chain } from '../../model/model-description.js';
import { inputShape } from '../../model/parameters.js';
import { assertClose, hashOf, PLAIN_STEP } from '../conformance/engine-runs.js';
import { ADAM, noise } from '../conformance/problems.js';
import { onnxEngine } from '../onnx/onnx-engine.js';
import { loadTensorflowEngine } from './tensorflow-engine.js';

// Not compiled: they lie in the source tree, seen from dist/lib/engine/tensorflow/.
const directory = fileURLToPath(new URL('../../../../lib/engine/tensorflow/fixtures', import.meta.url));
const FIXTURES = ['keras2-images', 'keras2-rows', 'keras3-images', 'keras3-rows'];
const keep = { keepForeignLayers: true };

async function readFixture(name: string) {
  const path = join(directory, `${name}.h5`);
  const file = await readKerasFile(path);
  const expected = JSON.parse(readFileSync(join(directory, `${name}.json`), 'utf8'));
  return {
    file,
    path,
    model: modelFromKeras(file, path, keep),
    predictions: expected.predictions as number[][],
  };
}

describe('foreign layers', () => {
  for (const name of FIXTURES) {
    it(`of ${name} predict what Keras did`, async () => {
      const engine = await loadTensorflowEngine('cpu');
      const { model, predictions } = await readFixture(name);
      const session = await engine.createPredictSession(model, { threads: 1 });
      const [found] = await session.predict([fixedImages(2, inputShape(model.description))], 2);
      await session.dispose();
      assertClose(found, predictions.flat(), { what: name, tolerance: 1e-5 });
    });

    it(`of ${name} are trained, the same way again, and saved`, async () => {
      const engine = await loadTensorflowEngine('cpu');
      const { file, model } = await readFixture(name);
      const run = async () => {
        const session = await engine.createTrainingSession(model, { optimizer: ADAM, seed: 1, threads: 1 });
        const losses: number[] = [];
        for (let step = 0; step < 8; step++)
          losses.push((await session.step(noise(model.description, 6))).loss);
        const weights = await session.weights();
        await session.dispose();
        return { losses, weights };
      };
      const { losses, weights } = await run();
      // From step to step dropout moves the loss as much as training does.
      const sum = (some: readonly number[]) => some.reduce((total, loss) => total + loss, 0);
      assert.ok(sum(losses.slice(4)) < sum(losses.slice(0, 4)), losses.join());
      assert.equal(hashOf((await run()).weights), hashOf(weights));
      assert.ok(
        weights.every(
          ({ values }, index) =>
            hashOf([{ name, shape: [], values }]) !== hashOf([model.weights[index] as never]),
        ),
        'every array moves',
      );
      const saved = await decodeKerasFile(await encodeKerasFile({ ...file, weights }), name);
      assert.equal(hashOf(modelFromKeras(saved, name, keep).weights), hashOf(weights));
    });

    it(`of ${name} have gradients that are the slope of the loss`, async () => {
      const engine = await loadTensorflowEngine('cpu');
      const { model } = await readFixture(name);
      const batch = noise(model.description, 4);
      // One small plain step lowers the loss by the step times the squared length of the gradient.
      const rate = 1e-4;
      const session = await engine.createTrainingSession(
        // Dropout draws other masks in the second step.
        {
          ...model,
          description: chain({
            name: 'without dropout',
            inputShape: inputShape(model.description),
            layers: model.description.layers.filter(({ kind }) => kind !== 'dropout'),
          }),
        },
        { optimizer: { ...PLAIN_STEP, learningRate: rate }, seed: 1, threads: 1 },
      );
      const { loss } = await session.step(batch);
      const after = await session.weights();
      const { loss: lower } = await session.step(batch);
      await session.dispose();
      const moved = after.flatMap(({ name: array, values }, index) =>
        array.includes('moving_')
          ? []
          : [...values].map((value, at) => value - (model.weights[index]?.values[at] as number)),
      );
      const expected = moved.reduce((sum, value) => sum + value * value, 0) / rate;
      assert.ok(Math.abs((loss - lower) / expected - 1) < 0.05, `${loss - lower}, expected ${expected}`);
    });
  }

  it('are an error where they are not asked for, by name', async () => {
    const { file, path } = await readFixture('keras3-images');
    const zoom = { class_name: 'RandomZoom', config: { name: 'zoom', height_factor: 0.5 } };
    assert.throws(
      () => modelFromKeras({ ...file, modelConfig: sequential(zoom, head) }, path),
      (error: unknown) => error instanceof DataError && /zoom is a RandomZoom/.test(error.message),
    );
  });

  const head = { class_name: 'Dense', config: { name: 'out', units: 2, activation: 'softmax' } };

  /** A cell of any kind in a layer of its own, which the ONNX engine does not know. */
  const withCell = (trainable: boolean) => {
    const cell = { class_name: 'SimpleRNNCell', config: { name: 'cell', units: 2 } };
    const layers = [
      { class_name: 'InputLayer', config: { batch_input_shape: [null, 3, 4] } },
      { class_name: 'RNN', config: { name: 'rnn', cell, trainable } },
      head,
    ];
    const description = describeKerasConfig({ class_name: 'Sequential', config: { layers } }, keep);
    const weights = [[4, 2], [2, 2], [2], [2, 2], [2]].map((shape, at) => ({
      name: `${at < 3 ? 'rnn' : 'out'}/${at}:0`,
      shape,
      values: Float32Array.from({ length: sizeOf(shape) }, (_, index) => ((index * 7) % 5) / 5 - 0.4),
    }));
    return { description, weights };
  };

  it('are an error on the ONNX engine, by name', async () => {
    const model = withCell(true);
    assert.deepEqual(
      foreignLayers(model.description).map(({ name }) => name),
      ['rnn'],
    );
    for (const make of [
      () => onnxEngine.createPredictSession(model, { threads: 1 }),
      () => onnxEngine.createTrainingSession(model, { optimizer: ADAM, seed: 1, threads: 1 }),
    ]) {
      await assert.rejects(make, ModelError);
    }
  });

  const sequential = (...layers: readonly object[]) => {
    const rows = layers.some((layer) => JSON.stringify(layer).includes('TimeDistributed'));
    const config = { batch_input_shape: [null, ...(rows ? [3, 4] : [4])] };
    return {
      class_name: 'Sequential',
      config: { layers: [{ class_name: 'InputLayer', config }, ...layers] },
    };
  };
  it('refuses an interpolation that TensorFlow.js computes otherwise than Keras, and predicts with the other', async () => {
    const engine = await loadTensorflowEngine('cpu');
    const build = (interpolation: string) => {
      const layers = [
        { class_name: 'InputLayer', config: { batch_input_shape: [null, 1, 2, 1] } },
        { class_name: 'UpSampling2D', config: { name: 'up', size: [1, 2], interpolation } },
        { class_name: 'Flatten', config: { name: 'f' } },
        { class_name: 'Softmax', config: { name: 's' } },
      ];
      const description = describeKerasConfig({ class_name: 'Sequential', config: { layers } }, keep);
      return engine.createPredictSession({ description, weights: [] }, { threads: 1 });
    };
    const session = await build('nearest');
    const [e, sum] = [Math.E, 2 + 2 * Math.E];
    const [found] = await session.predict([Float32Array.of(0, 1)], 1);
    assertClose(found, [1 / sum, 1 / sum, e / sum, e / sum], {
      what: 'nearest',
      tolerance: 1e-6,
    });
    await session.dispose();
    await assert.rejects(build('bilinear'), {
      name: 'ModelError',
      message: 'layer up (UpSampling2D): TensorFlow.js has no interpolation bilinear',
    });
  });

  it('are refused by name where TensorFlow.js builds them and does not compute them', async () => {
    const engine = await loadTensorflowEngine('cpu');
    const columns = { class_name: 'Softmax', config: { name: 'columns', axis: 0 } };
    const layers = [
      { class_name: 'InputLayer', config: { batch_input_shape: [null, 3, 2] } },
      columns,
      { class_name: 'GlobalAveragePooling1D', config: { name: 'mean' } },
    ];
    const description = describeKerasConfig({ class_name: 'Sequential', config: { layers } }, keep);
    const session = await engine.createPredictSession({ description, weights: [] }, { threads: 1 });
    await assert.rejects(session.predict([new Float32Array(6)], 1), {
      name: 'ModelError',
      message:
        /^TensorFlow\.js cannot compute the model: .*layer columns \(Softmax\): expected axis to be .*, found 0/,
    });
    await session.dispose();
  });

  it('refuses to train what TensorFlow.js can only predict with', async () => {
    const engine = await loadTensorflowEngine('cpu');
    const input = { class_name: 'InputLayer', config: { batch_input_shape: [null, 5, 5, 1] } };
    const dilated = { name: 'c', filters: 1, kernel_size: [2, 2], dilation_rate: [2, 2], use_bias: false };
    const flatten = { class_name: 'Flatten', config: { name: 'f' } };
    const config = { layers: [input, { class_name: 'Conv2D', config: dilated }, flatten, head] };
    const description = describeKerasConfig({ class_name: 'Sequential', config }, keep);
    const weights = [[2, 2, 1, 1], [9, 2], [2]].map((shape, at) => ({
      name: `${at}`,
      shape,
      values: new Float32Array(sizeOf(shape)).fill(0.1),
    }));
    const session = await engine.createTrainingSession(
      { description, weights },
      { optimizer: ADAM, seed: 1, threads: 1 },
    );
    await assert.rejects(
      session.step(noise(description, 2)),
      /TensorFlow\.js cannot train the model: .*dilation/,
    );
    await session.dispose();
  });

  it('stay as they are where they are frozen', async () => {
    const engine = await loadTensorflowEngine('cpu');
    const model = withCell(false);
    const session = await engine.createTrainingSession(model, { optimizer: ADAM, seed: 1, threads: 1 });
    await session.step(noise(model.description, 4));
    const trained = await session.weights();
    await session.dispose();
    const still = trained.filter(
      (array, index) => hashOf([array]) === hashOf([model.weights[index] as never]),
    );
    assert.deepEqual([...new Set(still.map(({ name }) => name.split('/')[0]))], ['rnn']);
  });

  for (const [what, layer, message] of [
    [
      'a setting that TensorFlow.js does not know',
      { class_name: 'LayerNormalization', config: { name: 'n', rms_scaling: true } },
      /layer n \(LayerNormalization\): rms_scaling true is not supported, and not by TensorFlow.js either/,
    ],
    [
      'a setting of a layer inside another one',
      {
        class_name: 'TimeDistributed',
        config: { name: 't', layer: { class_name: 'Dense', config: { name: 'd', units: 2, lora_rank: 3 } } },
      },
      /layer t \(TimeDistributed\), layer Dense: lora_rank 3 is not supported/,
    ],
    [
      'an activity regularizer of a layer inside another one',
      {
        class_name: 'TimeDistributed',
        config: {
          name: 't',
          layer: { class_name: 'Dense', config: { name: 'd', units: 2, activity_regularizer: 'l2' } },
        },
      },
      /layer t \(TimeDistributed\), layer Dense has a setting activity_regularizer "l2", which training here does not respect/,
    ],
    [
      'noise',
      { class_name: 'GaussianNoise', config: { name: 'n', stddev: 1 } },
      /layer n: TensorFlow\.js has no noise that a seed repeats/,
    ],
    [
      'recurrent dropout inside a wrapper',
      {
        class_name: 'Bidirectional',
        config: {
          name: 'b',
          layer: {
            class_name: 'LSTM',
            config: { name: 'l', units: 2, return_state: true, recurrent_dropout: 0.1 },
          },
        },
      },
      /layer b .*recurrent_dropout draws random/,
    ],
    [
      'a layer that nobody knows',
      { class_name: 'Mystery', config: { name: 'm' } },
      /^one that TensorFlow\.js cannot build: Unknown layer: Mystery \(layer m is a Mystery; /,
    ],
  ] as const) {
    it(`refuses to train with ${what}`, async () => {
      const engine = await loadTensorflowEngine('cpu');
      const description = describeKerasConfig(sequential(layer, head), keep);
      await assert.rejects(
        engine.createTrainingSession({ description, weights: [] }, { optimizer: ADAM, seed: 1, threads: 1 }),
        (error: unknown) => error instanceof ModelError && message.test(error.message),
      );
    });
  }
});
