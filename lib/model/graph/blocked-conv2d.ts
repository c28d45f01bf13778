/** Conv2D on blocked images: forward with the relu that follows, and the input gradient as a convolution again. */

import { toBlocked, toChannelsLast, toPlain } from './blocked-layout.js';
import { type Convolution, type ConvShape, convShape, reportConvGradients } from './conv-gradients.js';
import type { GraphBuilder, Tensor } from './graph-builder.js';
import type { AppliedLayer, Blocking, LayerValue } from './layer-graph.js';
import { onnxPads } from './window-geometry.js';

/** Whether this convolution can run on blocked images: whole blocks come out, and whole blocks or one channel go in. */
export function canBlockConv2d(layer: Convolution, input: LayerValue, blockSize: number): boolean {
  const [channels = 0] = input.shape;
  const takesInput = channels % blockSize === 0 || (channels === 1 && input.blocked !== true);
  // The gradient of a blocked input is a convolution of stride 1; others have no blocked way back.
  const hasGradient = channels === 1 || layer.strides.every((stride) => stride === 1);
  return layer.filters % blockSize === 0 && takesInput && hasGradient;
}

/** Applies a convolution; the output is blocked, and rectified where a relu follows. */
export function applyBlockedConv2d(
  layer: Convolution,
  input: LayerValue,
  { context, blockSize }: Blocking,
): AppliedLayer {
  const { graph, followedByRelu } = context;
  const shape = convShape(layer, input);
  const { channels, geometry } = shape;
  const image = channels === 1 || input.blocked ? input.tensor : toBlocked(graph, input.tensor);
  const keras = context.parameter('kernel');
  const operands = [
    image,
    forwardKernel(graph, keras, { shape, blockSize }),
    ...(layer.useBias ? [context.parameter('bias')] : []),
  ];
  const tensor = graph.blockedOp('Conv', operands, {
    kernel_shape: layer.kernel,
    strides: layer.strides,
    pads: onnxPads(geometry),
    ...(followedByRelu ? { activation: 'Relu' } : {}),
  });
  const output = {
    tensor,
    shape: [layer.filters, ...geometry.output],
    blocked: true,
    rectified: followedByRelu,
  };
  return {
    output,
    backward(dy, needsInputGradient) {
      reportConvGradients(
        context,
        {
          image: channels === 1 ? image : toChannelsLast(graph, image, channels),
          dy: toPlain(graph, dy, layer.filters),
        },
        shape,
      );
      if (!needsInputGradient) return undefined;
      return inputGradient(graph, { dy, keras, isBlocked: input.blocked ?? false }, { shape, blockSize });
    },
  };
}

interface BlockedKernel {
  readonly shape: ConvShape;
  readonly blockSize: number;
}

/** Keras' `[kh, kw, in, out]` as `[out/b, in/b, kh, kw, b in, b out]`, or `[out/b, 1, kh, kw, b out]` for one channel. */
function forwardKernel(graph: GraphBuilder, keras: Tensor, { shape, blockSize }: BlockedKernel): Tensor {
  const { channels, layer } = shape;
  const { filters, kernel } = layer;
  const blocks = filters / blockSize;
  const reordered =
    channels === 1
      ? graph.transpose(graph.reshape(keras, ...kernel, 1, blocks, blockSize), 3, 2, 0, 1, 4)
      : graph.transpose(
          graph.reshape(keras, ...kernel, channels / blockSize, blockSize, blocks, blockSize),
          ...[4, 2, 0, 1, 3, 5],
        );
  return graph.reshape(reordered, filters, channels, ...kernel);
}

interface GradientOperands {
  readonly dy: Tensor;
  readonly keras: Tensor;
  readonly isBlocked: boolean;
}

/** dx is dy convolved with the kernel turned round, its inputs and outputs exchanged. */
function inputGradient(
  graph: GraphBuilder,
  { dy, keras, isBlocked }: GradientOperands,
  { shape, blockSize }: BlockedKernel,
): Tensor {
  const { channels, layer, geometry } = shape;
  const [height, width] = layer.kernel;
  const taps = height * width;
  const backwards = graph.integers(...Array.from({ length: taps }, (_, tap) => taps - 1 - tap));
  const turned = graph.op('Gather', [graph.reshape(keras, taps, channels, layer.filters), backwards], {
    axis: 0,
  });
  const [inBlocks, outBlocks] = [channels / blockSize, layer.filters / blockSize];
  const kernel = graph.transpose(
    graph.reshape(turned, height, width, inBlocks, blockSize, outBlocks, blockSize),
    ...[2, 4, 0, 1, 5, 3],
  );
  const pads = onnxPads(geometry).map((pad, index) => (index % 2 === 0 ? height : width) - 1 - pad);
  const gradient = graph.blockedOp(
    'Conv',
    [dy, graph.reshape(kernel, channels, layer.filters, height, width)],
    {
      kernel_shape: layer.kernel,
      pads,
    },
  );
  return isBlocked ? gradient : toPlain(graph, gradient, channels);
}
