/** Models of every Keras version predict on our engine what Keras itself predicted, and can be trained on. */

import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { sizeOf } from '../../core/weights.js';
import { onnxEngine } from '../../engine/onnx/onnx-engine.js';
import { readKerasFile } from '../../formats/keras/keras-hdf5.js';
import { classCount, inputShape } from '../parameters.js';
import { modelFromKeras } from './keras-model.js';

// Fixtures are not compiled: they lie in the source tree, seen from dist/lib/model/keras/.
const directory = fileURLToPath(new URL('../../../../lib/formats/fixtures', import.meta.url));
const names = readdirSync(directory).flatMap((file) => (file.endsWith('.json') ? [file.slice(0, -5)] : []));
const IMAGES = 2;

/** The images that the fixtures' generator predicted on. */
function fixedImages(shape: readonly number[]): Float32Array {
  return Float32Array.from({ length: IMAGES * sizeOf(shape) }, (_, at) => ((at * 37) % 101) / 101);
}

describe('models of Keras', () => {
  it('of six generations are there', () => assert.ok(names.length >= 12, names.join()));

  for (const name of names) {
    it(`${name} predicts the same and trains`, async () => {
      const path = join(directory, `${name}.h5`);
      const expected = JSON.parse(readFileSync(join(directory, `${name}.json`), 'utf8'));
      const model = modelFromKeras(await readKerasFile(path), path);
      assert.deepEqual(
        model.description.layers.map((layer) => layer.name),
        expected.layers,
      );
      const images = fixedImages(inputShape(model.description));

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
      const labels = Int32Array.from({ length: IMAGES }, (_, at) => at % classCount(model.description));
      assert.ok(
        Number.isFinite((await session.step({ count: IMAGES, inputs: [images], targets: [labels] })).loss),
      );
      assert.notDeepEqual((await session.weights()).at(0)?.values, model.weights.at(0)?.values);
      await session.dispose();
    });
  }
});
