/** The models that users can name with `--model`. */
import type { Layer, ModelDescription } from './model-description.js';

/** Names of the models that come with fedbatch. */
export const MODEL_NAMES = ['cnn', 'mlp'] as const;
export type ModelName = (typeof MODEL_NAMES)[number];

/** Shape of one image, `[h, w, c]`, and number of classes. */
export interface ModelTask {
  readonly inputShape: readonly number[];
  readonly classes: number;
}

/** The description of a model by its name. */
export function describeModel(name: ModelName, { inputShape, classes }: ModelTask): ModelDescription {
  return { name, inputShape, layers: LAYERS[name](classes) };
}

const conv2d = (name: string, filters: number): Layer => ({
  kind: 'conv2d',
  name,
  filters,
  kernel: [3, 3],
  strides: [1, 1],
  padding: 'valid',
  useBias: true,
  activation: 'relu',
});

const dense = (name: string, units: number, activation: 'relu' | 'softmax'): Layer => ({
  kind: 'dense',
  name,
  units,
  useBias: true,
  activation,
});

const LAYERS: Readonly<Record<ModelName, (classes: number) => readonly Layer[]>> = {
  /** Two convolutions, a pool and a dense layer: 110,986 parameters on 28×28×1. */
  cnn: (classes) => [
    conv2d('conv2d', 32),
    conv2d('conv2d_1', 64),
    { kind: 'maxPooling2d', name: 'max_pooling2d', pool: [2, 2], strides: [2, 2], padding: 'valid' },
    { kind: 'dropout', name: 'dropout', rate: 0.25 },
    { kind: 'flatten', name: 'flatten' },
    { kind: 'dropout', name: 'dropout_1', rate: 0.5 },
    dense('dense', classes, 'softmax'),
  ],
  /** One hidden layer of 128: 101,770 parameters on 28×28×1. */
  mlp: (classes) => [
    { kind: 'flatten', name: 'flatten' },
    dense('dense', 128, 'relu'),
    { kind: 'dropout', name: 'dropout', rate: 0.2 },
    dense('dense_1', classes, 'softmax'),
  ],
};
