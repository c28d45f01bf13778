/** BatchNormalization per place of one axis, usually the channels (Ioffe and Szegedy 2015, arXiv 1502.03167). */
import type * as Tf from '@tensorflow/tfjs';
import { formatShape } from '../../core/weights.js';
import type { Tensor } from '../graph/graph-builder.js';
import { ModelError } from '../model-error.js';
import type { LayerModule } from './layer-module.js';
import { gammaAndBeta, normalizationSettings } from './normalization.js';
import { fixed, type LayerWith, numberWhere, numberWithin, setting } from './settings.js';

const parseAxis = numberWhere(Number.isSafeInteger);

const settings = {
  /** As Keras counts, the batch being axis 0; -1, the channels, is the usual one. */
  axis: setting({
    keys: ['axis'],
    expected: 'the number of one axis',
    fallback: -1,
    // Keras 2 writes it as a list of one.
    parse: (value) => parseAxis(Array.isArray(value) && value.length === 1 ? value[0] : value),
  }),
  momentum: numberWithin({
    keys: ['momentum'],
    expected: 'a share from 0 to 1',
    fallback: 0.99,
    isIn: (share) => share >= 0 && share <= 1,
  }),
  ...normalizationSettings,
  mode: fixed('mode', 0),
  renorm: fixed('renorm', false, null),
};

type BatchNormalizationLayer = LayerWith<'batchNormalization', typeof settings>;

/** Normalises with the batch's statistics while training, else with the moving ones, which are not trained. */
export const batchNormalization: LayerModule<BatchNormalizationLayer> = {
  kind: 'batchNormalization',
  keras: [
    {
      names: ['BatchNormalization'],
      settings,
      withoutEffect: ['fused', 'synchronized', 'renorm_clipping', 'renorm_momentum'],
      forTrainingOnly: ['virtual_batch_size'],
    },
  ],
  outputShape: (_layer, input) => input,
  parameters(layer, input) {
    const { momentum } = layer;
    const shape = [input[normalizedAxis(layer, input)] ?? 0];
    return [
      ...gammaAndBeta(layer, shape),
      { role: 'moving_mean', shape, initial: 'zeros', momentum },
      { role: 'moving_variance', shape, initial: 'ones', momentum },
    ];
  },
  forward(layer, input, context) {
    const { graph, training } = context;
    const isImage = input.shape.length === 3;
    // Images are channels first here, and channels last where the axis was counted.
    const [channels = 0, height = 0, width = 0] = input.shape;
    const kept = isImage ? [2, 3, 1][normalizedAxis(layer, [height, width, channels])] : 1;
    const axes = [0, ...input.shape.map((_, at) => at + 1)].filter((at) => at !== kept);
    const places = [1, ...input.shape].map((extent, at) => (at === kept ? extent : 1));
    const alongAxis = (tensor: Tensor) => (isImage ? graph.reshape(tensor, ...places) : tensor);
    const mean = (tensor: Tensor) =>
      graph.op('ReduceMean', [tensor, graph.integers(...axes)], { keepdims: 0 });
    const multiply = (a: Tensor, b: Tensor) => graph.op('Mul', [a, b]);

    const center = training ? mean(input.tensor) : context.parameter('moving_mean');
    const centered = graph.op('Sub', [input.tensor, alongAxis(center)]);
    const variance = training ? mean(multiply(centered, centered)) : context.parameter('moving_variance');
    const deviation = graph.op('Sqrt', [graph.op('Add', [variance, graph.scalar(layer.epsilon)])]);
    const normalised = graph.op('Div', [centered, alongAxis(deviation)]);
    const gamma = layer.scale ? alongAxis(context.parameter('gamma')) : undefined;
    const scaled = gamma === undefined ? normalised : multiply(normalised, gamma);
    const output = layer.center ? graph.op('Add', [scaled, alongAxis(context.parameter('beta'))]) : scaled;
    if (training) {
      context.batchStatistic('moving_mean', center);
      context.batchStatistic('moving_variance', variance);
    }
    return {
      output: { tensor: output, shape: input.shape },
      backward(dy, needsInputGradient) {
        if (layer.center) context.gradient('beta', graph.sum(dy, ...axes));
        if (layer.scale) context.gradient('gamma', graph.sum(multiply(dy, normalised), ...axes));
        if (!needsInputGradient) return undefined;
        const dNormalised = gamma === undefined ? dy : multiply(dy, gamma);
        const meanGradient = alongAxis(mean(dNormalised));
        const meanProjection = alongAxis(mean(multiply(dNormalised, normalised)));
        const residual = graph.op('Sub', [
          graph.op('Sub', [dNormalised, meanGradient]),
          multiply(normalised, meanProjection),
        ]);
        return graph.op('Div', [residual, alongAxis(deviation)]);
      },
    };
  },
  mixesExamples: true,
  correctTensorflow(layer, { tf, built }) {
    completeNormalization(tf as typeof Tf, built);
    normaliseLast(built as Tf.layers.Layer, layer);
  },
};

/**
 * Which extent of its input, given without the batch, is kept apart.
 *
 * @throws {ModelError} where the input has no such axis
 */
function normalizedAxis({ name, axis }: BatchNormalizationLayer, input: readonly number[]): number {
  const at = axis < 0 ? input.length + axis : axis - 1;
  if (input[at] !== undefined) return at;
  throw new ModelError(
    `layer ${name}: BatchNormalization with axis ${axis} is not possible, its input is ${formatShape(input)} behind the axis of the batch`,
  );
}

/** In training it wants a gamma and a beta even where the settings say that there is none. */
function completeNormalization(tf: typeof Tf, built: unknown): void {
  const layer = built as {
    gamma?: { read(): Tf.Tensor } | null;
    beta?: { read(): Tf.Tensor } | null;
    readonly movingMean: Tf.LayerVariable;
  };
  const shape = layer.movingMean.shape as number[];
  layer.gamma ??= { read: () => tf.ones(shape) };
  layer.beta ??= { read: () => tf.zeros(shape) };
}

/** It normalises along the last axis whichever it is told: images are turned for another one. */
function normaliseLast(built: Tf.layers.Layer, { axis }: BatchNormalizationLayer): void {
  const layer = built as unknown as { axis: number; call: Tf.layers.Layer['call'] };
  const call = layer.call.bind(built);
  layer.axis = -1;
  layer.call = (inputs, kwargs) => {
    const input = (Array.isArray(inputs) ? inputs[0] : inputs) as Tf.Tensor;
    const last = input.rank - 1;
    const swapped = input.shape.map((_, at) => at);
    const kept = axis < 0 ? input.rank + axis : axis;
    [swapped[kept], swapped[last]] = [last, kept];
    if (kept === last) return call(input, kwargs);
    return (call(input.transpose(swapped), kwargs) as Tf.Tensor).transpose(swapped);
  };
}
