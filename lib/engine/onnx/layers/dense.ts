/** Dense and Flatten. */
import { sizeOf } from '../../../core/weights.js';
import type { DenseLayer } from '../../../model/model-description.js';
import type { AppliedLayer, LayerContext, LayerValue } from '../layer-graph.js';

/** Applies the linear part of a dense layer to `[features]`; its activation is a layer of its own. */
export function applyDense(layer: DenseLayer, input: LayerValue, context: LayerContext): AppliedLayer {
  const { graph } = context;
  const kernel = context.parameter('kernel');
  const operands = layer.useBias ? [kernel, context.parameter('bias')] : [kernel];
  return {
    output: { tensor: graph.op('Gemm', [input.tensor, ...operands]), shape: [layer.units] },
    backward(dy, needsInputGradient) {
      if (layer.useBias) context.gradient('bias', graph.sum(dy, 0));
      context.gradient('kernel', { left: input.tensor, right: dy });
      return needsInputGradient ? graph.op('Gemm', [dy, kernel], { transB: 1 }) : undefined;
    },
  };
}

/** `[c, h, w]` to `[h·w·c]` in Keras' channels-last order; `[features]` stays. */
export function applyFlatten(input: LayerValue, { graph }: LayerContext): AppliedLayer {
  const [channels = 0, height = 1, width = 1] = input.shape;
  const features = sizeOf(input.shape);
  if (input.shape.length === 1) return { output: input, backward: (dy) => dy };
  if (channels === 1 || height * width === 1) {
    return {
      output: { tensor: graph.reshape(input.tensor, -1, features), shape: [features] },
      backward: (dy) => graph.reshape(dy, -1, channels, height, width),
    };
  }
  const planes = graph.reshape(input.tensor, -1, channels, height * width);
  return {
    output: { tensor: graph.reshape(graph.transpose(planes, 0, 2, 1), -1, features), shape: [features] },
    backward: (dy) =>
      graph.reshape(
        graph.transpose(graph.reshape(dy, -1, height * width, channels), 0, 2, 1),
        -1,
        channels,
        height,
        width,
      ),
  };
}
