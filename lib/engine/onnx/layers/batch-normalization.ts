/** BatchNormalization per place of one axis, usually the channels (Ioffe and Szegedy 2015, arXiv 1502.03167). */
import type { BatchNormalizationLayer } from '../../../model/model-description.js';
import { normalizedAxis } from '../../parameters.js';
import type { Tensor } from '../graph-builder.js';
import type { AppliedLayer, LayerContext, LayerValue } from '../layer-graph.js';

/** Normalises with the batch's statistics while training, else with the moving ones. */
export function applyBatchNormalization(
  layer: BatchNormalizationLayer,
  input: LayerValue,
  context: LayerContext,
): AppliedLayer {
  const { graph, training } = context;
  const isImage = input.shape.length === 3;
  // Images are channels first here, and channels last where the axis was counted.
  const [channels = 0, height = 0, width = 0] = input.shape;
  const kept = isImage ? [2, 3, 1][normalizedAxis(layer, [height, width, channels])] : 1;
  const axes = [0, ...input.shape.map((_, at) => at + 1)].filter((at) => at !== kept);
  const places = [1, ...input.shape].map((extent, at) => (at === kept ? extent : 1));
  const alongAxis = (tensor: Tensor) => (isImage ? graph.reshape(tensor, ...places) : tensor);
  const mean = (tensor: Tensor) => graph.op('ReduceMean', [tensor, graph.integers(...axes)], { keepdims: 0 });
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
}
