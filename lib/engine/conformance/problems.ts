/** Small models, weights and batches that every engine is tried on. */

import { CLASSES, conv, dense, flatten, head, imageModel, normalisation } from '../../../test/layers.js';
import { type SettingGroup, settingGroups } from '../../../test/setting-fixtures.js';
import { ModelError } from '../../core/errors.js';
import { randomStream } from '../../core/random.js';
import { sizeOf, type Weights } from '../../core/weights.js';
import { type LossSettings, parseLoss } from '../../federation/loss.js';
import { parseKerasLayer } from '../../model/keras/keras-layers.js';
import { LAYER_MODULES, type Layer } from '../../model/layers/registry.js';
import type { Model, ModelDescription } from '../../model/model-description.js';
import {
  answerShapes,
  initialWeights,
  inputBound,
  inputShape,
  outputShapes,
} from '../../model/parameters.js';
import { lossModule } from '../../model/tasks/losses.js';
import type { Batch, OptimizerSettings } from '../engine.js';

/** Keras' defaults. */
export const ADAM = {
  kind: 'adam',
  learningRate: 1e-3,
  beta1: 0.9,
  beta2: 0.999,
  epsilon: 1e-7,
} as const satisfies OptimizerSettings;

/** Those that keep something from step to step, and one that keeps nothing. */
export const OPTIMIZERS: Readonly<Record<string, OptimizerSettings>> = {
  Adam: ADAM,
  'SGD with momentum': { kind: 'sgd', learningRate: 0.05, momentum: 0.9 },
  'plain SGD': { kind: 'sgd', learningRate: 0.05, momentum: 0 },
};

/** Pixels along each side of the images whose class can be learnt. */
const SIDE = 12;

/** Every kind of layer and setting, in models whose gradients TensorFlow.js' own layers know. */
export const GRADIENT_CASES: Readonly<Record<string, ModelDescription>> = {
  'dense layers of every activation': imageModel(
    [
      dense('a', 7, 'relu'),
      dense('b', 6, 'sigmoid'),
      dense('c', 5, 'tanh', false),
      dense('d', 5, 'softmax'),
      dense('e', CLASSES, 'softmax'),
    ],
    [11],
  ),
  'dense layers of smooth activations': imageModel(
    [
      ...(['elu', 'selu', 'gelu', 'softplus', 'softsign', 'swish', 'mish', 'relu6'] as const).map((name) =>
        dense(name, 6, name),
      ),
      dense('e', CLASSES, 'softmax'),
    ],
    [11],
  ),
  'dense layers of many weights': imageModel(
    [dense('a', 140, 'relu'), dense('b', 120, 'relu'), dense('c', CLASSES, 'softmax')],
    [124],
  ),
  'convolutions, valid and same, with strides': imageModel(
    [
      conv('a', { activation: 'relu' }),
      conv('b', { padding: 'same', kernel: [4, 2], useBias: false }),
      conv('c', { padding: 'same', strides: [2, 3], filters: 5 }),
      ...head,
    ],
    [10, 11, 2],
  ),
  'a convolution that leaves pixels uncovered': imageModel(
    [conv('a'), conv('b', { strides: [2, 2], kernel: [2, 3] }), ...head],
    [10, 11, 2],
  ),
  'max pools that tile and that overlap': imageModel([
    conv('a', { padding: 'same', activation: 'relu' }),
    { kind: 'maxPooling2d', name: 'tile', pool: [2, 2], strides: [2, 2], padding: 'valid' },
    { kind: 'maxPooling2d', name: 'overlap', pool: [3, 2], strides: [1, 1], padding: 'same' },
    ...head,
  ]),
  'average pools and batch normalization': imageModel([
    conv('a', { activation: 'tanh' }),
    normalisation('bn'),
    { kind: 'activation', name: 'relu', activation: 'relu' },
    { kind: 'averagePooling2d', name: 'average', pool: [2, 2], strides: [2, 2], padding: 'valid' },
    { kind: 'globalAveragePooling2d', name: 'global' },
    dense('b', CLASSES),
    { kind: 'activation', name: 'softmax', activation: 'softmax' },
  ]),
};

/** What TensorFlow.js' own layers get wrong or refuse: here the slope of the loss itself is asked. */
export const SLOPE_CASES: Readonly<Record<string, ModelDescription>> = {
  'a padded average pool': imageModel([
    conv('a', { padding: 'same' }),
    { kind: 'averagePooling2d', name: 'average', pool: [2, 3], strides: [2, 2], padding: 'same' },
    ...head,
  ]),
  'batch normalization without gamma, and without beta': imageModel([
    normalisation('first', { center: false }),
    conv('a', { activation: 'tanh' }),
    normalisation('second', { scale: false }),
    ...head,
  ]),
  'batch normalization of rows, and of columns': imageModel([
    normalisation('rows', { axis: 1 }),
    conv('a', { activation: 'tanh' }),
    normalisation('columns', { axis: 2 }),
    ...head,
  ]),
};

const keras3Groups = settingGroups('3');

/** The layers of Keras that we read, each as Keras 3 writes it and between layers that are trained. */
export const LAYER_CASES: Readonly<Record<string, ModelDescription>> = Object.fromEntries(
  // Those of several inputs are in models of their own.
  LAYER_MODULES.filter(({ inputCount: [fewest] = [1] }) => fewest === 1).flatMap(({ keras }) =>
    keras.map(({ names: [name] }) => {
      const group = [...keras3Groups, ...settingGroups('2')].find(({ layer }) => layer.class_name === name);
      if (group === undefined)
        throw new Error(`lib/model/keras/fixtures/make_setting_fixtures.py has no ${name}`);
      return [name, modelAround(group)];
    }),
  ),
);

/** The same layers with each setting that makes another layer of them; those that are refused are left out. */
export const SETTING_CASES: Readonly<Record<string, ModelDescription>> = Object.fromEntries(
  keras3Groups.flatMap((group) => {
    const usual = modelAround(group);
    return group.cases.flatMap(({ setting, changed }) => {
      try {
        const description = modelAround(group, changed);
        const isSame = JSON.stringify(description) === JSON.stringify(usual);
        return isSame
          ? []
          : [[`${group.layer.class_name}, ${setting} ${JSON.stringify(changed)}`, description]];
      } catch (error) {
        if (error instanceof ModelError) return [];
        throw error;
      }
    });
  }),
);

function modelAround({ inputShape, below, layer }: SettingGroup, changed: object = {}): ModelDescription {
  const features = inputShape.at(-1) ?? 0;
  const before =
    inputShape.length === 3
      ? conv('before', { filters: features, padding: 'same', activation: 'tanh' })
      : dense('before', features, 'tanh');
  const tried = parseKerasLayer({ ...layer, config: { ...layer.config, ...changed } });
  const layers = below === undefined ? [before, tried] : [tried];
  const isFlat = outputShapes(imageModel(layers, inputShape))[0]?.length === 1;
  // TensorFlow.js flattens images only.
  return imageModel([...layers, ...head.slice(isFlat ? 1 : 0)], inputShape);
}

/** A convolutional network that learns {@link quarters}, with dropout on images and on features, or without. */
export function learner({ dropout }: { readonly dropout: boolean }): Model {
  const drop = (name: string, rate: number): readonly Layer[] =>
    dropout ? [{ kind: 'dropout', name, rate }] : [];
  const description = imageModel(
    [
      conv('conv', { filters: 4, activation: 'relu' }),
      { kind: 'maxPooling2d', name: 'pool', pool: [2, 2], strides: [2, 2], padding: 'valid' },
      ...drop('on-images', 0.2),
      conv('conv2', { filters: 6, activation: 'relu' }),
      ...drop('before-flatten', 0.1),
      flatten,
      ...drop('after-flatten', 0.2),
      dense('head', CLASSES, 'softmax'),
    ],
    [SIDE, SIDE, 1],
  );
  return { description, weights: initialWeights(description, 1) };
}

/** Learns {@link quarters} with dense layers whose kernels an engine may hold by themselves. */
export function wideLearner(): Model {
  const description = imageModel(
    [flatten, dense('wide', 128, 'relu'), dense('deep', 128, 'tanh'), dense('head', CLASSES, 'softmax')],
    [SIDE, SIDE, 1],
  );
  return { description, weights: initialWeights(description, 1) };
}

/** Enough parameters (400 KB) that a step which keeps some shows in the process's memory. */
export function largeModel(): Model {
  const description = imageModel(
    [flatten, dense('a', 128, 'relu'), dense('head', 10, 'softmax')],
    [28, 28, 1],
  );
  return { description, weights: initialWeights(description, 1) };
}

/** `count` images `[12, 12, 1]` whose class shows as a bright quarter. */
export function quarters(count: number, seed: number): Batch {
  const random = randomStream(seed, 'quarters');
  const labels = Int32Array.from({ length: count }, () => random.integer(0, CLASSES - 1));
  const pixels = SIDE * SIDE;
  const images = Float32Array.from({ length: count * pixels }, (_, at) => {
    const [row, column] = [Math.floor((at % pixels) / SIDE), at % SIDE];
    const quarter = (row < SIDE / 2 ? 0 : 2) + (column < SIDE / 2 ? 0 : 1);
    return random.uniform() * 0.5 + (quarter === labels[Math.floor(at / pixels)] ? 0.5 : 0);
  });
  return { count, inputs: [images], targets: [labels] };
}

/** A batch of noise for any model. */
export function noise(description: ModelDescription, count: number): Batch {
  const random = randomStream(11, 'noise', description.layers.map(({ name }) => name).join());
  const below = inputBound(description, description.inputs[0]?.name ?? '');
  const images = Float32Array.from({ length: count * sizeOf(inputShape(description)) }, () =>
    below === undefined ? random.normal() : random.integer(0, below - 1),
  );
  const last = (answerShapes(description)[0]?.at(-1) as number) - 1;
  const labels = Int32Array.from({ length: count }, () => random.integer(0, last));
  return { count, inputs: [images], targets: [labels] };
}

/** Weights that are nowhere 0, where biases start. */
export function unevenWeights(description: ModelDescription): Weights {
  const random = randomStream(11, 'uneven', description.layers.map(({ name }) => name).join());
  return initialWeights(description, 3).map((array) => ({
    ...array,
    values: array.values.map((value) =>
      value === 0 ? random.uniform() - 0.5 : value * (0.75 + random.uniform() / 2),
    ),
  }));
}

/** A model of one layer for a loss, and batches that it can learn from; outputs and targets of 0 and 1, or near. */
export function lossProblem(text: string): {
  readonly loss: LossSettings;
  readonly model: Model;
  readonly batchOf: (step: number) => Batch;
} {
  const loss = parseLoss(text) as LossSettings;
  const { logitsOf, targets } = lossModule(loss);
  const end = loss.fromLogits ? 'linear' : (logitsOf ?? 'softplus');
  const description = imageModel([dense('out', 3, end)], [5]);
  const batchOf = (step: number): Batch => {
    const random = randomStream(step, 'loss problem');
    const count = 6;
    const inputs = [Float32Array.from({ length: count * 5 }, () => random.normal())];
    const target =
      targets === 'labels'
        ? Int32Array.from({ length: count }, () => random.integer(0, 2))
        : Float32Array.from({ length: count * 3 }, () => random.integer(0, 1));
    return { count, inputs, targets: [target] };
  };
  return { loss, model: { description, weights: unevenWeights(description) }, batchOf };
}
