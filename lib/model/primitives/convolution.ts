/** The convolution as a primitive operator, in the formulation that is fastest for its shape. */
import {
  type Convolution,
  type ConvShape,
  convAttributes,
  convKernelGradient,
  convShape,
  groupedKernelGradient,
  isPlain,
} from '../graph/conv-gradients.js';
import type { GraphBuilder, Tensor } from '../graph/graph-builder.js';
import { onnxPads } from '../graph/window-geometry.js';
import { channelsFirst, laidOut } from './layout.js';
import { BATCH_AXIS, type Value, type Vjp } from './value.js';

/** What the choice of a formulation depends on, beside the shapes. */
export interface ConvFormulation {
  /** Examples of every batch, where it is the same number. */
  readonly batchSize: number | undefined;
  /** Channels of a block, where images may be blocked. */
  readonly blockSize: number | undefined;
  /** A relu comes next, or right behind a max pool: blocks have it done on the way. */
  readonly followedByRelu: boolean;
}

/** Images `[n, h, w, c]`, kernel `[kh, kw, in / groups, filters]`, bias `[filters]`. */
export interface ConvOperands {
  readonly x: Value;
  readonly kernel: Value;
  readonly bias: Value | undefined;
}

/** A kernel slides over images; every place gives as many numbers as there are filters. */
export function convolve(operands: ConvOperands, layer: Convolution, formulation: ConvFormulation): Value {
  const { x, kernel, bias } = operands;
  const { graph } = x;
  const { batchSize, blockSize } = formulation;
  const shape = convShape(layer, x.shape.slice(1));
  if (blockSize !== undefined && canBlock(x, shape, blockSize))
    return convolveBlocks(operands, shape, { ...formulation, blockSize });
  const { geometry } = shape;
  const image = channelsFirst(x);
  // Keras keeps [kh, kw, in, out]; ONNX wants [out, in, kh, kw].
  const turned = graph.transpose(kernel.tensor, 3, 2, 0, 1);
  const window = convAttributes(shape);
  return {
    graph,
    tensor: graph.op('Conv', [image.tensor, turned, ...(bias === undefined ? [] : [bias.tensor])], window),
    shape: [BATCH_AXIS, ...geometry.output, layer.filters],
    layout: 'channels-first',
    origin: origin(
      { x: image, kernel, bias },
      {
        bias: (dy) => graph.sum(dy, 0, 2, 3),
        kernel: (dy) => kernelGradient(operands, { dy, batchSize, shape }),
        x: (dy) => graph.op('ConvTranspose', [dy, turned], { ...window, output_padding: geometry.uncovered }),
      },
    ),
  };
}

/** Bias and kernel first: the gradient at the images ends what the graph holds for this layer. */
export const origin = (
  { x, kernel, bias }: ConvOperands,
  vjps: Readonly<Record<keyof ConvOperands, Vjp>>,
): NonNullable<Value['origin']> => ({
  inputs: [...(bias === undefined ? [] : [bias]), kernel, x],
  vjps: [...(bias === undefined ? [] : [vjps.bias]), vjps.kernel, vjps.x],
});

/** Of Keras' kernel, from the gradient at the output, channels first. */
function kernelGradient(
  { x, kernel }: ConvOperands,
  {
    shape,
    ...given
  }: { readonly dy: Tensor; readonly batchSize: number | undefined; readonly shape: ConvShape },
): Tensor {
  const { graph } = x;
  if (!isPlain(shape.layer))
    return groupedKernelGradient(graph, { image: channelsFirst(x).tensor, ...given }, shape);
  const flat = convKernelGradient(graph, { image: laidOut(x).tensor, ...given }, shape);
  return graph.reshape(flat, ...kernel.shape);
}

/** Whether a convolution can run on blocks: whole ones come out, and whole ones or one channel go in. */
function canBlock({ layout }: Value, { channels, layer }: ConvShape, blockSize: number): boolean {
  const takesInput = channels % blockSize === 0 || (channels === 1 && layout !== 'blocked');
  // The gradient of a blocked input is a convolution of stride 1; others have no blocked way back.
  const hasGradient = channels === 1 || layer.strides.every((stride) => stride === 1);
  return layer.filters % blockSize === 0 && takesInput && hasGradient && isPlain(layer);
}

/** On blocked images, with the relu that follows. */
function convolveBlocks(
  operands: ConvOperands,
  shape: ConvShape,
  { batchSize, blockSize, followedByRelu }: ConvFormulation & { readonly blockSize: number },
): Value {
  const { x, kernel, bias } = operands;
  const { graph } = x;
  const { channels, geometry, layer } = shape;
  const image = channels === 1 ? channelsFirst(x) : laidOut(x, 'blocked');
  const inBlocks = forwardKernel(graph, kernel.tensor, { shape, blockSize });
  const given = [image.tensor, inBlocks, ...(bias === undefined ? [] : [bias.tensor])];
  const tensor = graph.blockedOp('Conv', given, {
    kernel_shape: layer.kernel,
    strides: layer.strides,
    pads: onnxPads(geometry),
    ...(followedByRelu ? { activation: 'Relu' } : {}),
  });
  let plain: Tensor | undefined;
  // Of the bias and of the kernel.
  const unblock = (dy: Tensor) => {
    plain ??= graph.blockedOp('ReorderOutput', [dy], { channels: layer.filters });
    return plain;
  };
  return {
    graph,
    tensor,
    shape: [BATCH_AXIS, ...geometry.output, layer.filters],
    layout: 'blocked',
    isRectified: followedByRelu,
    origin: origin(
      { x: image, kernel, bias },
      {
        bias: (dy) => graph.sum(unblock(dy), 0, 2, 3),
        kernel: (dy) => kernelGradient(operands, { dy: unblock(dy), batchSize, shape }),
        x: (dy) => inputGradient(graph, { dy, keras: kernel.tensor }, { shape, blockSize }),
      },
    ),
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

/** dx is dy convolved with the kernel turned round, its inputs and outputs exchanged. */
function inputGradient(
  graph: GraphBuilder,
  { dy, keras }: { readonly dy: Tensor; readonly keras: Tensor },
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
  return graph.blockedOp('Conv', [dy, graph.reshape(kernel, channels, layer.filters, height, width)], {
    kernel_shape: layer.kernel,
    pads,
  });
}
