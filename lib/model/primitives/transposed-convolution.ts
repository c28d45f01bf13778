/** The transposed convolution as a primitive operator: the way back of a convolution, taken forward. */
import {
  type Convolution,
  type ConvShape,
  convAttributes,
  convKernelGradient,
  convShape,
  groupedKernelGradient,
  isPlain,
} from '../graph/conv-gradients.js';
import type { Tensor } from '../graph/graph-builder.js';
import { type ConvOperands, origin } from './convolution.js';
import { channelsFirst } from './layout.js';
import { BATCH_AXIS, type Value } from './value.js';

/** A transposed convolution: `filters` are the channels that come out. */
interface TransposedConvolution extends Convolution {
  /** Height and width of what comes out: a convolution of such images, so padded, gives what goes in. */
  readonly output: readonly [height: number, width: number];
}

/** Every pixel of images `[n, h, w, in]` lays a kernel `[kh, kw, filters, in]` over what comes out, where they add up. */
export function convolveTransposed(
  { x, kernel, bias }: ConvOperands,
  { output, filters, ...layer }: TransposedConvolution,
): Value {
  const { graph } = x;
  // The convolution whose way back this is.
  const shape = convShape({ ...layer, filters: x.shape.at(-1) as number }, [...output, filters]);
  const image = channelsFirst(x);
  // Keras keeps [kh, kw, out, in]; ONNX wants [in, out, kh, kw].
  const turned = graph.transpose(kernel.tensor, 3, 2, 0, 1);
  const window = convAttributes(shape);
  const operands = [image.tensor, turned, ...(bias === undefined ? [] : [bias.tensor])];
  return {
    graph,
    tensor: graph.op('ConvTranspose', operands, { ...window, output_padding: shape.geometry.uncovered }),
    shape: [BATCH_AXIS, ...output, filters],
    layout: 'channels-first',
    origin: origin(
      { x: image, kernel, bias },
      {
        bias: (dy) => graph.sum(dy, 0, 2, 3),
        kernel: (dy) => graph.reshape(kernelGradient(dy, { image, shape }), ...kernel.shape),
        x: (dy) => graph.op('Conv', [dy, turned], window),
      },
    ),
  };
}

/** What goes in has the place of a gradient, and the gradient that of an image. */
function kernelGradient(
  dy: Tensor,
  { image: { graph, tensor }, shape }: { readonly image: Value; readonly shape: ConvShape },
): Tensor {
  if (!isPlain(shape.layer)) return groupedKernelGradient(graph, { image: dy, dy: tensor }, shape);
  const image = graph.transpose(dy, 0, 2, 3, 1);
  return convKernelGradient(graph, { image, dy: tensor, batchSize: undefined }, shape);
}
