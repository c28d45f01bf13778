/**
 * Blocked images: ONNX Runtime's own layout for fast convolutions. The channels of a pixel lie together in blocks of as
 * many as fill a vector register (16 with AVX-512, 8 with AVX2): memory order `[n, c/b, h, w, b]`, declared as
 * `[n, c, h, w]`. Its optimizer uses the operators of the domain `com.microsoft.nchwc` where weights are constants; we
 * use them where they are inputs, in training. They are undocumented: see `probe.ts`.
 */
import type { GraphBuilder, Tensor } from './graph-builder.js';
import type { AppliedLayer, LayerValue } from './layer-graph.js';

/** A plain `[n, c, h, w]` tensor as blocked; `c` is a multiple of the block. */
export function toBlocked(graph: GraphBuilder, tensor: Tensor): Tensor {
  return graph.blockedOp('ReorderInput', [tensor]);
}

/** A blocked tensor as plain `[n, c, h, w]`. */
export function toPlain(graph: GraphBuilder, tensor: Tensor, channels: number): Tensor {
  return graph.blockedOp('ReorderOutput', [tensor], { channels });
}

/** A blocked tensor as plain `[n, h, w, c]`. */
export function toChannelsLast(graph: GraphBuilder, tensor: Tensor, channels: number): Tensor {
  return graph.blockedOp('ReorderOutput', [tensor], { channels, channels_last: 1 });
}

/** A plain `[n, h, w, c]` tensor as blocked. */
function fromChannelsLast(graph: GraphBuilder, tensor: Tensor): Tensor {
  return graph.blockedOp('ReorderInput', [tensor], { channels_last: 1 });
}

/** Applies a layer that knows plain images only to a blocked one. */
export function applyToPlain(
  graph: GraphBuilder,
  input: LayerValue,
  apply: (plain: LayerValue) => AppliedLayer,
): AppliedLayer {
  const [channels = 0] = input.shape;
  const applied = apply({ ...input, tensor: toPlain(graph, input.tensor, channels), blocked: false });
  return {
    output: applied.output,
    backward(dy, needsInputGradient) {
      const gradient = applied.backward(dy, needsInputGradient);
      return gradient === undefined ? undefined : toBlocked(graph, gradient);
    },
  };
}

/** Flatten of a blocked image: the way to channels-last order is one step. */
export function flattenBlocked(graph: GraphBuilder, input: LayerValue): AppliedLayer {
  const [channels = 0, height = 0, width = 0] = input.shape;
  const features = channels * height * width;
  return {
    output: {
      tensor: graph.reshape(toChannelsLast(graph, input.tensor, channels), -1, features),
      shape: [features],
      rectified: input.rectified ?? false,
    },
    backward: (dy) => fromChannelsLast(graph, graph.reshape(dy, -1, height, width, channels)),
  };
}
