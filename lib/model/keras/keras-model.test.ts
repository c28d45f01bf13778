/** Keras configs of all dialects become the layers that they mean; what we do not know is refused by name. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { DataError, ModelError } from '../../core/errors.js';
import { predictGraph } from '../../engine/onnx/graphs/predict-graph.js';
import { buildTrainingGraph } from '../../engine/onnx/graphs/training-graph.js';
import type { NamedLayer } from '../layers/layer-module.js';
import { sequential as chain } from '../model-description.js';
import { describeModel, MODEL_NAMES } from '../model-zoo.js';
import { initialWeights, inputShape, modelParameters } from '../parameters.js';
import { describeKerasConfig, kerasConfig, modelFromKeras } from './keras-model.js';

const sequential = (...layers: readonly object[]) => ({
  class_name: 'Sequential',
  config: { name: 's', layers },
});
const layer = (className: string, config: object) => ({ class_name: className, config });
const input = layer('InputLayer', { batch_input_shape: [null, 6, 6, 1] });

/** Numbers and a category side by side. */
const ROWS = {
  inputShape: [2],
  outputs: 1,
  activation: 'linear',
  inputs: [
    { name: 'numbers', shape: [2] },
    { name: 'city', shape: [1], below: 7 },
  ],
} as const;

describe('kerasConfig', () => {
  const everything = chain({
    name: 'everything',
    inputShape: [12, 12, 2],
    layers: [
      {
        kind: 'conv2d',
        name: 'c',
        filters: 4,
        kernel: [3, 2],
        strides: [2, 1],
        padding: 'same',
        useBias: false,
        activation: 'relu',
      },
      {
        kind: 'batchNormalization',
        name: 'bn',
        axis: 2,
        momentum: 0.9,
        epsilon: 0.01,
        center: false,
        scale: true,
      },
      { kind: 'maxPooling2d', name: 'mp', pool: [2, 2], strides: [1, 2], padding: 'same' },
      { kind: 'averagePooling2d', name: 'ap', pool: [2, 3], strides: [2, 3], padding: 'valid' },
      { kind: 'activation', name: 'act', activation: 'tanh' },
      { kind: 'globalAveragePooling2d', name: 'gap' },
      { kind: 'flatten', name: 'f' },
      { kind: 'dropout', name: 'd', rate: 0.25 },
      { kind: 'dense', name: 'out', units: 3, useBias: true, activation: 'softmax' },
    ],
  });

  for (const description of [
    everything,
    ...MODEL_NAMES.map((name) => describeModel(name, { inputShape: [28, 28, 1], outputs: 10 })),
    { ...describeModel('mlp', ROWS), name: 'mlp on rows' },
  ]) {
    it(`of ${description.name} comes back as it was, through JSON too`, () => {
      assert.deepEqual(
        describeKerasConfig(JSON.parse(JSON.stringify(kerasConfig(description)))),
        description,
      );
    });
  }
});

describe('describeKerasConfig', () => {
  it('reads Keras 1: a list of layers under their old names', () => {
    const description = describeKerasConfig({
      class_name: 'Sequential',
      config: [
        layer('Convolution2D', {
          name: 'convolution2d_1',
          batch_input_shape: [null, 28, 28, 1],
          nb_filter: 8,
          nb_row: 5,
          nb_col: 3,
          subsample: [1, 2],
          border_mode: 'same',
          bias: true,
          activation: 'relu',
          dim_ordering: 'tf',
        }),
        layer('MaxPooling2D', {
          name: 'pool',
          pool_size: [2, 2],
          strides: null,
          border_mode: 'valid',
          dim_ordering: 'tf',
        }),
        layer('Dropout', { name: 'drop', p: 0.25 }),
        layer('Flatten', { name: 'flat' }),
        layer('Dense', { name: 'dense_1', output_dim: 10, bias: true, activation: 'softmax' }),
      ],
    });
    assert.deepEqual(inputShape(description), [28, 28, 1]);
    assert.deepEqual(description.layers[0], {
      kind: 'conv2d',
      name: 'convolution2d_1',
      filters: 8,
      kernel: [5, 3],
      strides: [1, 2],
      padding: 'same',
      useBias: true,
      activation: 'relu',
    });
    assert.deepEqual(description.layers[1], {
      kind: 'maxPooling2d',
      name: 'pool',
      pool: [2, 2],
      strides: [2, 2],
      padding: 'valid',
    });
    assert.equal(modelParameters(description).length, 4);
  });

  it('finds the input shape in an input layer, in the first layer, or in the build shape', () => {
    const dense = layer('Dense', { name: 'd', units: 2, activation: 'softmax' });
    const flatten = layer('Flatten', { name: 'f', batch_input_shape: [null, 4, 5] });
    assert.deepEqual(
      inputShape(describeKerasConfig(sequential(layer('InputLayer', { batch_shape: [null, 7] }), dense))),
      [7],
    );
    assert.deepEqual(inputShape(describeKerasConfig(sequential(flatten, dense))), [4, 5, 1]);
    const built = { class_name: 'Sequential', config: { layers: [dense], build_input_shape: [null, 9] } };
    assert.deepEqual(inputShape(describeKerasConfig(built)), [9]);
  });

  const refused: readonly (readonly [string, unknown, RegExp])[] = [
    ['a model of one’s own', { class_name: 'Mine', config: {} }, /a Mine model/],
    [
      'no model at all',
      { layers: 3 },
      /a model_config with another structure than Keras writes|another class_name than Keras writes/,
    ],
    [
      'a layer that we do not know',
      sequential(input, layer('Attention', { name: 'l' })),
      /layer l is a Attention; known are Conv2D/,
    ],
    [
      'an activation that we do not know',
      sequential(input, layer('Dense', { name: 'd', units: 1, activation: 'sparsemax' })),
      /activation .* "sparsemax"/,
    ],
    [
      'channels first',
      sequential(input, layer('Flatten', { name: 'f', data_format: 'channels_first' })),
      /data_format "channels_first"/,
    ],
    [
      'a dilation with strides',
      sequential(
        input,
        layer('Conv2D', { name: 'c', filters: 1, kernel_size: 2, dilation_rate: [2, 2], strides: 2 }),
      ),
      /layer c: strides 2×2 and dilation_rate 2×2 are not possible together/,
    ],
    [
      'groups that the channels do not fill',
      sequential(input, layer('Conv2D', { name: 'c', filters: 2, kernel_size: [3, 3], groups: 2 })),
      /layer c: its 1 channels are no multiple of its groups, 2/,
    ],
    [
      'an output_padding beyond the strides',
      sequential(
        input,
        layer('Conv2DTranspose', { name: 't', filters: 2, kernel_size: 2, output_padding: 1 }),
      ),
      /layer t: output_padding 1×1 is not possible with kernel_size 2×2, strides 1×1 and padding valid/,
    ],
    [
      'slopes shared along an axis that is not there',
      sequential(input, layer('PReLU', { name: 'p', shared_axes: [4] })),
      /layer p: its shared_axes are 4, its input is \[6,6,1\]/,
    ],
    [
      'a convolution of volumes',
      sequential(input, layer('Conv3D', { name: 'v', filters: 1, kernel_size: 2 })),
      /layer v is a Conv3D; known are Conv2D, /,
    ],
    [
      'a kernel beyond the image',
      sequential(input, layer('Conv2D', { name: 'c', filters: 1, kernel_size: [7, 7] })),
      /7×7 does not fit into 6×6/,
    ],
    [
      'a cell on images',
      sequential(input, layer('LSTM', { name: 'l', units: 1 })),
      /layer l: takes sequences \[t,features\]/,
    ],
    [
      'a missing setting',
      sequential(input, layer('Conv2D', { name: 'c', kernel_size: [3, 3] })),
      /filters to be a whole number of at least 1, found none/,
    ],
    [
      'a setting that nobody knows',
      sequential(input, layer('Flatten', { name: 'f', order: 'spiral' })),
      /layer f \(Flatten\): order "spiral" is not supported/,
    ],
    [
      'a rate that is no share',
      sequential(input, layer('Dropout', { name: 'd', rate: 1.5 })),
      /layer d \(Dropout\): expected rate to be a share of at least 0 and below 1, found 1.5/,
    ],
    [
      'a relu bounded below 0',
      sequential(input, layer('ReLU', { name: 'r', max_value: -5, negative_slope: 0, threshold: 0 })),
      /layer r \(ReLU\): expected max_value to be none or a number of at least 0, found -5/,
    ],
    [
      'normalisation of an axis that is not there',
      sequential(input, layer('BatchNormalization', { name: 'b', axis: 4 })),
      /layer b: BatchNormalization with axis 4 is not possible, its input is \[6,6,1\]/,
    ],
    [
      'normalisation of the axis of the batch',
      sequential(input, layer('BatchNormalization', { name: 'b', axis: [0] })),
      /layer b: BatchNormalization with axis 0 is not possible/,
    ],
    [
      'normalisation of several axes',
      sequential(input, layer('BatchNormalization', { name: 'b', axis: [1, 2] })),
      /axis to be the number of one axis, found \[1,2\]/,
    ],
    [
      'numbers of a type that float32 is no stand-in for',
      sequential(input, layer('Flatten', { name: 'f', dtype: 'int8_from_float32' })),
      /layer f \(Flatten\): dtype "int8_from_float32" is not supported/,
    ],
    [
      'a sparse input',
      sequential(layer('InputLayer', { name: 'in', batch_shape: [null, 4], sparse: true })),
      /layer in \(InputLayer\): sparse true is not supported/,
    ],
    [
      'a setting of the whole model',
      { class_name: 'Sequential', config: { name: 'm', layers: [input], pipeline: 'x' } },
      /model m: pipeline "x" is not supported/,
    ],
    [
      "a class of somebody's own with a name of Keras",
      sequential(input, { ...layer('Flatten', { name: 'f' }), registered_name: 'Mine>Flatten' }),
      /layer f is a class of its own, Mine>Flatten/,
    ],
    [
      "a class of somebody's own as an activation",
      sequential(
        input,
        layer('Activation', { name: 'a', activation: { ...layer('ReLU', {}), module: 'my_layers' } }),
      ),
      /layer a \(Activation\), activation ReLU is a class of its own, my_layers/,
    ],
    [
      'Keras 1, normalisation of another mode',
      sequential(input, layer('BatchNormalization', { name: 'b', mode: 2, axis: -1, epsilon: 0.001 })),
      /layer b \(BatchNormalization\): mode 2 is not supported, only 0/,
    ],
    [
      'Keras 1, channels first',
      sequential(input, layer('MaxPooling2D', { name: 'p', pool_size: [2, 2], dim_ordering: 'th' })),
      /layer p \(MaxPooling2D\): dim_ordering "th" is not supported, only "tf" or "default"/,
    ],
    [
      'Keras 1, a border that we do not have',
      sequential(
        input,
        layer('Convolution2D', { name: 'c', nb_filter: 1, nb_row: 2, nb_col: 2, border_mode: 'full' }),
      ),
      /layer c \(Convolution2D\): expected border_mode to be valid or same, found "full"/,
    ],
    [
      'an open input shape',
      sequential(layer('InputLayer', { batch_input_shape: [null, null, null, 1] })),
      /input shape that is not fixed/,
    ],
  ];
  for (const [what, config, message] of refused) {
    it(`refuses ${what}`, () => {
      assert.throws(
        () => describeKerasConfig(config),
        (error: unknown) => error instanceof ModelError && message.test(error.message),
      );
    });
  }
});

describe('training obstacles', () => {
  const dense = (config: object) =>
    sequential(
      input,
      layer('Flatten', { name: 'f', trainable: false }),
      layer('Dense', { name: 'd', units: 2, activation: 'softmax', kernel_regularizer: null, ...config }),
    );

  it('are regularizers and constraints that are not known; such models predict, but training refuses them by name', () => {
    assert.equal(describeKerasConfig(dense({ trainable: true })).trainingObstacles, undefined);
    for (const [config, message] of [
      [{ trainable: false }, /a model without anything to train: layer d is frozen \(trainable: false\)/],
      [
        { kernel_regularizer: { class_name: 'OrthogonalRegularizer', config: { factor: 0.1 } } },
        /layer d \(Dense\) has a setting kernel_regularizer OrthogonalRegularizer/,
      ],
      [
        { kernel_constraint: { class_name: 'MaxNorm', config: { max_value: 'odd' } } },
        /layer d \(Dense\) has a setting kernel_constraint MaxNorm \{"max_value":"odd"\}/,
      ],
      // Keras 1's names.
      [{ W_constraint: { name: 'MaxNorm', m: 2 } }, /layer d \(Dense\) has a setting W_constraint/],
      [
        { activity_regularizer: { name: 'L1L2', l1: 1 } },
        /layer d \(Dense\) has a setting activity_regularizer/,
      ],
      [
        { activation: { class_name: 'Softmax', config: { name: 's', activity_regularizer: 'l2' } } },
        /layer d \(Dense\), activation Softmax has a setting activity_regularizer/,
      ],
    ] as const) {
      const description = describeKerasConfig(dense(config));
      const optimizer = { kind: 'sgd', learningRate: 1, momentum: 0 } as const;
      assert.throws(
        () => buildTrainingGraph(description, { optimizer }),
        (error: unknown) => error instanceof ModelError && message.test(error.message),
      );
      assert.ok(predictGraph({ description, weights: initialWeights(description, 0) }).nodes.length > 0);
    }
  });

  it('are no regularizers, constraints and frozen layers that we know: they come back from a file as they were', () => {
    const norm = { class_name: 'MinMaxNorm', config: { min_value: 0, max_value: 3, rate: 1, axis: [0, 1] } };
    const description = describeKerasConfig(
      sequential(
        input,
        layer('Conv2D', {
          ...{ name: 'c', filters: 2, kernel_size: [3, 3], trainable: false },
          ...{ kernel_regularizer: 'l1', kernel_constraint: norm, bias_constraint: 'non_neg' },
        }),
        layer('Flatten', { name: 'f' }),
        layer('Dense', {
          ...{ name: 'd', units: 2, activation: 'softmax', kernel_constraint: 'unit_norm' },
          ...{
            kernel_regularizer: { class_name: 'L1L2', config: { l1: 0.1, l2: 0.2 } },
            activity_regularizer: 'l2',
          },
        }),
      ),
    );
    assert.deepEqual(
      description.layers.map(({ training }: NamedLayer) => training),
      [
        {
          isFrozen: true,
          parameters: {
            kernel: {
              regularizer: { l1: 0.01, l2: 0 },
              constraint: { kind: 'norm', least: 0, most: 3, rate: 1, axes: [0, 1] },
            },
            bias: { constraint: { kind: 'non-negative' } },
          },
        },
        undefined,
        {
          parameters: {
            kernel: {
              constraint: { kind: 'norm', least: 1, most: 1, rate: 1, axes: [0] },
              regularizer: { l1: 0.1, l2: 0.2 },
            },
          },
          activity: { l1: 0, l2: 0.01 },
        },
      ],
    );
    assert.deepEqual(describeKerasConfig(kerasConfig(description)), description);
  });
});

describe('modelFromKeras', () => {
  const description = describeModel('mlp', { inputShape: [6, 6, 1], outputs: 3 });
  const file = {
    modelConfig: kerasConfig(description),
    weights: initialWeights(description, 1),
    kerasVersion: '2.15.0',
  };

  it('names the file and the weight that does not fit', () => {
    const weights = file.weights.map((array) =>
      array.name.startsWith('dense_1/k') ? { ...array, shape: [3, 128] } : array,
    );
    assert.throws(
      () => modelFromKeras({ ...file, weights }, 'm.h5'),
      (error: unknown) =>
        error instanceof DataError &&
        /^m\.h5: expected .*dense_1\/kernel:0 of shape \[3,128\] where layer dense_1 has a kernel of \[128,3\]/.test(
          error.message,
        ),
    );
    assert.throws(
      () => modelFromKeras({ ...file, weights: weights.slice(1) }, 'm.h5'),
      /3 weight arrays where the layers have 4/,
    );
  });
});
