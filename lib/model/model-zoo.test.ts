/** The models have the sizes that the papers state. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parameterCount, sizeOf } from '../core/weights.js';
import { describeModel, MODEL_NAMES, type ModelName } from './model-zoo.js';
import { answerShapes, initialWeights, modelParameters } from './parameters.js';

const PARAMETERS: Readonly<Record<ModelName, number>> = {
  cnn: 110_986,
  mlp: 101_770,
  '2nn': 199_210,
  'mcmahan-cnn': 1_663_370,
  lenet: 44_426,
  resnet: 77_754,
};

describe('the models of --model', () => {
  for (const name of MODEL_NAMES) {
    it(`${name} has ${PARAMETERS[name]} parameters on images of 28×28`, () => {
      const description = describeModel(name, { inputShape: [28, 28, 1], outputs: 10 });
      assert.deepEqual(answerShapes(description), [[10]]);
      const sizes = modelParameters(description).map(({ shape }) => sizeOf(shape));
      assert.equal(
        sizes.reduce((total, size) => total + size),
        PARAMETERS[name],
      );
      assert.equal(parameterCount(initialWeights(description, 0)), PARAMETERS[name]);
    });
  }

  it('only cnn and mlp have dropout: the models of papers have none', () => {
    const withDropout = MODEL_NAMES.filter((name) =>
      describeModel(name, { inputShape: [28, 28, 1], outputs: 10 }).layers.some(
        ({ kind }) => kind === 'dropout',
      ),
    );
    assert.deepEqual(withDropout, ['cnn', 'mlp']);
  });
});
