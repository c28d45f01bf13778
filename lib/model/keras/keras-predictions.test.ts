/** Models of every Keras version predict on our engine what Keras itself predicted, and can be trained on. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { fixedImages, fixturePath, KERAS_FIXTURES, kerasExpectation } from '../../../test/keras-fixtures.js';
import { onnxEngine } from '../../engine/onnx/onnx-engine.js';
import { readKerasFile } from '../../formats/keras/keras-hdf5.js';
import { answerShapes, inputShape } from '../parameters.js';
import { modelFromKeras } from './keras-model.js';

const IMAGES = 2;

describe('models of Keras', () => {
  for (const name of KERAS_FIXTURES) {
    it(`${name} predicts the same and trains`, async () => {
      const path = fixturePath(`${name}.h5`);
      const expected = kerasExpectation(name);
      const model = modelFromKeras(await readKerasFile(path), path);
      assert.deepEqual(
        model.description.layers.map((layer) => layer.name),
        expected.layers,
      );
      const images = fixedImages(IMAGES, inputShape(model.description));

      const predictor = await onnxEngine.createPredictSession(model, { threads: 1 });
      const [probabilities = []] = await predictor.predict([images], IMAGES);
      await predictor.dispose();
      for (const [at, value] of expected.predictions.flat().entries()) {
        assert.ok(
          Math.abs((probabilities[at] as number) - value) < 1e-5,
          `${at}: ${probabilities[at]}, Keras ${value}`,
        );
      }

      const optimizer = { kind: 'sgd', learningRate: 0.1, momentum: 0 } as const;
      const session = await onnxEngine.createTrainingSession(model, { optimizer, seed: 0, threads: 1 });
      const labels = Int32Array.from(
        { length: IMAGES },
        (_, at) => at % (answerShapes(model.description)[0]?.[0] as number),
      );
      assert.ok(
        Number.isFinite((await session.step({ count: IMAGES, inputs: [images], targets: [labels] })).loss),
      );
      assert.notDeepEqual((await session.weights()).at(0)?.values, model.weights.at(0)?.values);
      await session.dispose();
    });
  }
});
