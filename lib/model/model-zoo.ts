/** The models that users can name with `--model`: their names and their layers. */
import { sizeOf } from '../core/weights.js';
import type { Extent, Padding } from './graph/window-geometry.js';
import type { ActivationName } from './layers/activation.js';
import type { Layer } from './layers/registry.js';
import { functional, type ModelDescription, numbered, sequential } from './model-description.js';
import { resnet } from './resnet.js';
import { type FeatureScale, normalization, type RowInput, sideBySide } from './side-by-side.js';

/** What a model is made for. */
export interface ModelTask {
  /** Shape of one example: `[h, w, c]` of an image. */
  readonly inputShape: readonly number[];
  /** Numbers that the model puts out for each example: one for each class. */
  readonly outputs: number;
  /** The activation at its end; a softmax over classes by default. */
  readonly activation?: ActivationName;
  /** Where the input is whole numbers that stand for something, such as letters: all are below this. */
  readonly tokens?: number | undefined;
  /** Mean and variance of the input's features: the model begins with a Normalization by them. */
  readonly scale?: FeatureScale | undefined;
  /** Mean and variance of the targets, where they are numbers: the model ends with an inverted Normalization by them. */
  readonly targetScale?: FeatureScale | undefined;
  /** Inputs in place of one, where there are several or categories: for an mlp. */
  readonly inputs?: readonly RowInput[] | undefined;
}

const conv2d = (
  name: string,
  filters: number,
  { kernel, padding = 'valid' }: { readonly kernel: Extent; readonly padding?: Padding },
): Layer => ({
  kind: 'conv2d',
  name,
  filters,
  kernel,
  strides: [1, 1],
  padding,
  useBias: true,
  activation: 'relu',
});

const halve = (name: string): Layer => ({
  kind: 'maxPooling2d',
  name,
  pool: [2, 2],
  strides: [2, 2],
  padding: 'valid',
});

const lstm = (
  name: string,
  { units, returnSequences }: { readonly units: number; readonly returnSequences: boolean },
): Layer => ({
  ...{ kind: 'lstm', name, units, returnSequences, useBias: true, unitForgetBias: true },
  ...{ cellActivation: 'tanh', recurrentActivation: 'sigmoid' },
  ...{ goBackwards: false, zeroOutputForMask: false },
});

const flatten: Layer = { kind: 'flatten', name: 'flatten' };

const dense = (name: string, units: number, activation: ActivationName): Layer => ({
  kind: 'dense',
  name,
  units,
  useBias: true,
  activation,
});

/** The last layer, and what comes in. */
type Head = Required<Omit<ModelTask, 'tokens' | 'scale' | 'targetScale' | 'inputs'>> &
  Pick<ModelTask, 'tokens'>;

const LAYERS = {
  /** Two convolutions, a pool and a dense layer: 110,986 parameters on 28×28×1. */
  cnn: ({ outputs, activation }: Head): readonly Layer[] => [
    conv2d('conv2d', 32, { kernel: [3, 3] }),
    conv2d('conv2d_1', 64, { kernel: [3, 3] }),
    halve('max_pooling2d'),
    { kind: 'dropout', name: 'dropout', rate: 0.25 },
    flatten,
    { kind: 'dropout', name: 'dropout_1', rate: 0.5 },
    dense('dense', outputs, activation),
  ],
  /** One hidden layer of 128 with dropout: 101,770 parameters on 28×28×1; or those that are asked for, without. */
  mlp: ({ outputs, activation }: Head, hidden?: readonly number[]): readonly Layer[] => [
    flatten,
    ...(hidden === undefined
      ? [dense('dense', 128, 'relu'), { kind: 'dropout', name: 'dropout', rate: 0.2 } as const]
      : hidden.map((units, at) => dense(numbered('dense', at), units, 'relu'))),
    dense(numbered('dense', hidden?.length ?? 1), outputs, activation),
  ],
  /** Softmax regression (of numbers, linear regression): 7,850 parameters on 28×28×1. */
  logistic: ({ outputs, activation }: Head): readonly Layer[] => [
    flatten,
    dense('dense', outputs, activation),
  ],
  /** The 2NN of McMahan et al. 2017, §3: 199,210 parameters on 28×28×1. */
  '2nn': ({ outputs, activation }: Head): readonly Layer[] => [
    flatten,
    dense('dense', 200, 'relu'),
    dense('dense_1', 200, 'relu'),
    dense('dense_2', outputs, activation),
  ],
  /** The CNN of McMahan et al. 2017, §3: 1,663,370 parameters on 28×28×1. */
  'mcmahan-cnn': ({ outputs, activation }: Head): readonly Layer[] => [
    conv2d('conv2d', 32, { kernel: [5, 5], padding: 'same' }),
    halve('max_pooling2d'),
    conv2d('conv2d_1', 64, { kernel: [5, 5], padding: 'same' }),
    halve('max_pooling2d_1'),
    flatten,
    dense('dense', 512, 'relu'),
    dense('dense_1', outputs, activation),
  ],
  /**
   * A LeNet-5 (LeCun et al. 1998) with relu and max pools, as Li et al. 2022 (NIID-Bench, arXiv 2102.02079) and
   * Flower's niid_bench train it: 44,426 parameters on 28×28×1.
   */
  lenet: ({ outputs, activation }: Head): readonly Layer[] => [
    conv2d('conv2d', 6, { kernel: [5, 5] }),
    halve('max_pooling2d'),
    conv2d('conv2d_1', 16, { kernel: [5, 5] }),
    halve('max_pooling2d_1'),
    flatten,
    dense('dense', 120, 'relu'),
    dense('dense_1', 84, 'relu'),
    dense('dense_2', outputs, activation),
  ],
  /** Residual, with group normalisation: 77,754 parameters on 28×28×1. */
  resnet: (head: Head) => resnet(head, 'input'),
  /**
   * LSTMs of 128 or of other units, one on the other, behind an embedding of whole numbers. Of other inputs `[t, …]` the
   * first axis is time: of images the rows.
   */
  lstm: (
    { inputShape: [steps = 1, ...step], tokens, outputs, activation }: Head,
    hidden: readonly number[] = [128],
  ): readonly Layer[] => [
    ...(tokens === undefined
      ? [{ kind: 'reshape', name: 'reshape', targetShape: [steps, sizeOf(step)] } as const]
      : [{ kind: 'embedding', name: 'embedding', below: tokens, units: EMBEDDED, maskZero: false } as const]),
    ...hidden.map((units, at) =>
      lstm(numbered('lstm', at), { units, returnSequences: at < hidden.length - 1 }),
    ),
    dense('dense', outputs, activation),
  ],
};

/** Numbers that the LSTM's embedding has for each token. */
const EMBEDDED = 32;

/** The name of a model that comes with fedbatch. */
export type ModelName = keyof typeof LAYERS;
/** All of them. */
export const MODEL_NAMES = Object.keys(LAYERS) as readonly ModelName[];

/** Those that take images alone; the others take inputs of any shape. */
export const IMAGE_MODELS: readonly ModelName[] = ['cnn', 'mcmahan-cnn', 'lenet', 'resnet'];

/** Those that take several inputs, with whole numbers for categories. */
export const ROW_MODELS: readonly ModelName[] = ['mlp'];

/** Those that normalise their numbers. */
export const SCALED_MODELS: readonly ModelName[] = ['mlp', 'logistic', '2nn', 'lstm'];

/** Those that take whole numbers for what they stand for. */
export const TOKEN_MODELS: readonly ModelName[] = ['lstm'];

/** The description of a model by its name; `hidden` are the units of the hidden layers of an mlp, or of LSTMs. */
export function describeModel(
  name: ModelName,
  task: ModelTask,
  hidden?: readonly number[],
): ModelDescription {
  const { inputShape, outputs, activation = 'softmax', tokens, scale, targetScale } = task;
  const named = LAYERS[name]({ inputShape, outputs, activation, tokens }, hidden);
  // What is learned is then of the size of one whatever the targets are.
  const made =
    targetScale === undefined || 'calls' in named
      ? named
      : [...named, normalization('denormalization', targetScale, { invert: true })];
  if (task.inputs !== undefined && !('calls' in made)) return onRows(name, task.inputs, made);
  if (!('calls' in made)) {
    const layers = scale === undefined ? made : [normalization('normalization', scale), ...made];
    const chain = sequential({ name, inputShape, layers });
    if (tokens === undefined || !TOKEN_MODELS.includes(name)) return chain;
    return { ...chain, inputs: chain.inputs.map((each) => ({ ...each, isInteger: true })) };
  }
  return functional({ name, inputs: [{ name: 'input', shape: inputShape }], ...made });
}

/** A chain of layers on several inputs, which come in its first layer's place. */
function onRows(
  name: ModelName,
  inputs: readonly RowInput[],
  [, ...chain]: readonly Layer[],
): ModelDescription {
  const taken = new Set([...inputs, ...chain].map((each) => each.name));
  const free = (kind: string): string => {
    let at = 0;
    while (taken.has(numbered(kind, at))) at += 1;
    taken.add(numbered(kind, at));
    return numbered(kind, at);
  };
  // An input may have the name of a layer.
  const named = chain.map((layer) =>
    inputs.some((each) => each.name === layer.name) ? { ...layer, name: free(layer.name) } : layer,
  );
  const rows = sideBySide(inputs, free);
  const calls = named.map((layer, at) => ({
    ...{ layer: layer.name, inputs: [named[at - 1]?.name ?? rows.row] },
    output: layer.name,
  }));
  return functional({
    ...{ name, inputs: rows.inputs, layers: [...rows.layers, ...named] },
    ...{ calls: [...rows.calls, ...calls], outputs: [named.at(-1)?.name ?? rows.row] },
  });
}
