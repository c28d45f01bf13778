/** BatchNormalization per place of one axis, usually the channels (Ioffe and Szegedy 2015, arXiv 1502.03167). */
import type * as Tf from '@tensorflow/tfjs';
import { add, div, sub } from '../../primitives/arithmetic.js';
import { sqrt } from '../../primitives/elementwise.js';
import { standardize } from '../../primitives/reductions.js';
import { reshape } from '../../primitives/shaping.js';
import type { Value } from '../../primitives/value.js';
import type { LayerModule } from '../layer-module.js';
import { fixed, type LayerWith, numberWhere, numberWithin, setting } from '../settings.js';
import { gammaAndBeta, normalizationSettings, placesOfAxes, scaleAndShift } from './normalization.js';

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
  forward(layer, [x], context) {
    const { epsilon } = layer;
    const kept = normalizedAxis(layer, x.shape.slice(1)) + 1;
    const places = x.shape.map((extent, at) => (at === kept ? extent : 1));
    const axes = x.shape.flatMap((_, at) => (at === kept ? [] : [at]));
    const along = (parameter: Value) => (x.shape.length === 2 ? parameter : reshape(parameter, places));
    if (!context.training || layer.training?.isFrozen === true) {
      const centered = sub(x, along(context.parameter('moving_mean')));
      const deviation = sqrt(add(context.parameter('moving_variance'), epsilon));
      return scaleAndShift(layer, div(centered, along(deviation)), along, context);
    }
    const { standardized, mean, variance } = standardize(x, { axes, epsilon });
    context.batchStatistic('moving_mean', x.graph.reshape(mean, -1));
    context.batchStatistic('moving_variance', x.graph.reshape(variance, -1));
    return scaleAndShift(layer, standardized, along, context);
  },
  mixesExamples: true,
  correctTensorflow(layer, { tf, built }) {
    completeNormalization(tf as typeof Tf, built);
    normaliseLast(built as Tf.layers.Layer, layer);
  },
};

/** Which extent of its input, given without the batch, is kept apart. @throws {ModelError} where it has no such axis */
const normalizedAxis = (layer: BatchNormalizationLayer, input: readonly number[]): number =>
  placesOfAxes('BatchNormalization', layer, input)[0] as number;

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
