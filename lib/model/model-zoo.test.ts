/** The models have the sizes that the papers state. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parameterCount, sizeOf } from '../core/weights.js';
import { describeModel, MODEL_NAMES, type ModelName, SCALED_MODELS } from './model-zoo.js';
import { answerShapes, initialWeights, modelParameters } from './parameters.js';

const PARAMETERS: Readonly<Record<ModelName, number>> = {
  cnn: 110_986,
  mlp: 101_770,
  logistic: 7_850,
  '2nn': 199_210,
  'mcmahan-cnn': 1_663_370,
  lenet: 44_426,
  resnet: 77_754,
  lstm: 81_674,
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

  it('lstm embeds whole numbers, and runs along the first axis of others', () => {
    const [words, floats] = [
      describeModel('lstm', { inputShape: [20], outputs: 3, tokens: 90 }, [16, 8]),
      describeModel('lstm', { inputShape: [20, 4, 2], outputs: 3, tokens: undefined }, [16]),
    ];
    assert.deepEqual(words.inputs, [{ name: 'input', shape: [20], isInteger: true }]);
    assert.deepEqual(
      words.layers.map(({ name }) => name),
      ['embedding', 'lstm', 'lstm_1', 'dense'],
    );
    assert.deepEqual(
      modelParameters(words)
        .map(({ shape }) => shape)
        .slice(0, 3),
      [
        [90, 32],
        [32, 64],
        [16, 64],
      ],
    );
    assert.deepEqual(
      floats.layers.map(({ name }) => name),
      ['reshape', 'lstm', 'dense'],
    );
    assert.deepEqual(modelParameters(floats)[0]?.shape, [8, 64]);
    for (const each of [words, floats]) assert.deepEqual(answerShapes(each), [[3]]);
  });

  it('mlp embeds categories of several inputs, whatever these are called', () => {
    const rows = describeModel(
      'mlp',
      {
        ...{ inputShape: [2], outputs: 1, activation: 'linear' },
        inputs: [
          { name: 'dense', shape: [2] },
          { name: 'city', shape: [1], below: 7 },
          { name: 'visits', shape: [3], below: 400 },
          { name: 'flatten', shape: [4, 2] },
        ],
      },
      [16],
    );
    assert.deepEqual(
      rows.inputs.map(({ name, isInteger = false }) => [name, isInteger]),
      [
        ['dense', false],
        ['city', true],
        ['visits', true],
        ['flatten', false],
      ],
    );
    const names = [...rows.inputs.map(({ name }) => name), ...rows.layers.map(({ name }) => name)];
    assert.equal(new Set(names).size, names.length);
    assert.deepEqual(answerShapes(rows), [[1]]);
    assert.deepEqual(
      modelParameters(rows).map(({ shape }) => shape),
      [[7, 4], [400, 50], [2 + 4 + 150 + 8, 16], [16], [16, 1], [1]],
    );
  });

  it('mlp embeds one input of categories', () => {
    const { layers } = describeModel('mlp', {
      ...{ inputShape: [1], outputs: 3 },
      inputs: [{ name: 'city', shape: [1], below: 5 }],
    });
    assert.deepEqual(
      layers.map(({ kind }) => kind),
      ['embedding', 'flatten', 'dense', 'dropout', 'dense'],
    );
  });

  it('begins with a Normalization of the numbers whose mean and variance are known, and of no others', () => {
    const scale = { mean: [5, 6], variance: [4, 0] };
    for (const name of SCALED_MODELS) {
      const shape = name === 'lstm' ? [7, 2] : [2];
      const { layers } = describeModel(name, { inputShape: shape, outputs: 3, scale });
      assert.deepEqual(layers[0], {
        ...{ kind: 'featureNormalization', name: 'normalization', axis: [-1], invert: false },
        // Of a feature that never varies, only the mean is taken away.
        ...{ mean: [5, 6], variance: [4, 1] },
      });
      const { layers: others } = describeModel(name, { inputShape: shape, outputs: 3 });
      assert.deepEqual(layers.slice(1), others);
      assert.deepEqual(
        modelParameters(describeModel(name, { inputShape: shape, outputs: 3, scale })),
        modelParameters(describeModel(name, { inputShape: shape, outputs: 3 })),
      );
    }
    const { layers, calls } = describeModel('mlp', {
      ...{ inputShape: [2], outputs: 1, activation: 'linear' },
      inputs: [
        { name: 'normalization', shape: [2], scale },
        { name: 'city', shape: [1], below: 7 },
        { name: 'days', shape: [3, 2], scale },
      ],
    });
    const scaled = layers.filter(({ kind }) => kind === 'featureNormalization').map((each) => each.name);
    assert.deepEqual(scaled.sort(), ['normalization_1', 'normalization_2']);
    assert.deepEqual(
      scaled.map((each) => calls.find((call) => call.layer === each)?.inputs),
      [['normalization'], ['days']],
    );
  });

  it('ends with an inverted Normalization where mean and variance of the targets are known', () => {
    const targetScale = { mean: [1600], variance: [9] };
    for (const name of SCALED_MODELS) {
      const task = { inputShape: name === 'lstm' ? [7, 2] : [2], outputs: 1, activation: 'linear' as const };
      const { layers } = describeModel(name, { ...task, targetScale });
      assert.deepEqual(layers.at(-1), {
        ...{ kind: 'featureNormalization', name: 'denormalization', axis: [-1], invert: true },
        ...{ mean: [1600], variance: [9] },
      });
      assert.deepEqual(layers.slice(0, -1), describeModel(name, task).layers);
    }
  });

  it('only cnn and mlp have dropout: the models of papers have none', () => {
    const withDropout = MODEL_NAMES.filter((name) =>
      describeModel(name, { inputShape: [28, 28, 1], outputs: 10 }).layers.some(
        ({ kind }) => kind === 'dropout',
      ),
    );
    assert.deepEqual(withDropout, ['cnn', 'mlp']);
  });
});
