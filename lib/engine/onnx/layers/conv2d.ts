/** Conv2D: forward, and its three gradients as convolutions of their own. */
import type { Conv2dLayer } from '../../model-description.js';
import { onnxPads, type WindowGeometry, windowGeometry } from '../../window-geometry.js';
import type { GraphBuilder, Tensor } from '../graph-builder.js';
import type { AppliedLayer, LayerContext, LayerValue } from '../layer-graph.js';

/** Applies the linear part of a convolution; its activation is a layer of its own. */
export function applyConv2d(layer: Conv2dLayer, input: LayerValue, context: LayerContext): AppliedLayer {
  const { graph } = context;
  const [channels = 0, height = 0, width = 0] = input.shape;
  const geometry = windowGeometry([height, width], { ...layer, window: layer.kernel });
  // Keras keeps [kh, kw, in, out]; ONNX wants [out, in, kh, kw].
  const kernel = graph.transpose(context.parameter('kernel'), 3, 2, 0, 1);
  const window = { kernel_shape: layer.kernel, strides: layer.strides, pads: onnxPads(geometry) };
  const operands = layer.useBias ? [kernel, context.parameter('bias')] : [kernel];
  return {
    output: {
      tensor: graph.op('Conv', [input.tensor, ...operands], window),
      shape: [layer.filters, ...geometry.output],
    },
    backward(dy, needsInputGradient) {
      if (layer.useBias) context.gradient('bias', graph.sum(dy, 0, 2, 3));
      const shape: ConvShape = { channels, height, width, layer, geometry };
      context.gradient('kernel', kernelGradient(graph, { x: input.tensor, dy }, shape));
      if (!needsInputGradient) return undefined;
      return graph.op('ConvTranspose', [dy, kernel], { ...window, output_padding: geometry.uncovered });
    },
  };
}

interface ConvShape {
  readonly channels: number;
  readonly height: number;
  readonly width: number;
  readonly layer: Conv2dLayer;
  readonly geometry: WindowGeometry;
}

/**
 * The kernel gradient as ONE convolution: dW[i,j,c,o] = Σ x[n, p·sh+i, q·sw+j, c] · dy[n,o,p,q] slides dy (as a filter
 * whose channels are the examples) over x. With x in channels-last order viewed as an image of W·C columns, a column
 * dilation of C steps from pixel to pixel, so that all input channels come out side by side. Strides are dilations
 * here, padding pads. Measured 2 to 4 times faster than im2col or swapped-axes formulations on ONNX Runtime's CPU.
 *
 * @returns `[kh, kw, c, filters]`
 */
function kernelGradient(
  graph: GraphBuilder,
  { x, dy }: { readonly x: Tensor; readonly dy: Tensor },
  { channels, height, width, layer, geometry }: ConvShape,
): Tensor {
  const [outputHeight, outputWidth] = geometry.output;
  const pixels = outputHeight * outputWidth;
  const image = graph.reshape(
    channelsLast(graph, x, { channels, pixels: height * width }),
    1,
    -1,
    height,
    width * channels,
  );
  const filter = graph.reshape(
    graph.transpose(graph.reshape(dy, -1, layer.filters, pixels), 1, 0, 2),
    layer.filters,
    -1,
    outputHeight,
    outputWidth,
  );
  const [top, left] = geometry.padBefore;
  const [bottom, right] = geometry.padAfter;
  const [kernelHeight, kernelWidth] = layer.kernel;
  const slid = graph.op('Conv', [image, filter], {
    kernel_shape: geometry.output,
    dilations: [layer.strides[0], layer.strides[1] * channels],
    // Rows and columns that no window covered would come out as further taps: negative padding is not allowed, so
    // they are cut off below.
    pads: [top, left * channels, bottom, right * channels],
  });
  const [extraRows, extraColumns] = geometry.uncovered;
  const taps =
    extraRows === 0 && extraColumns === 0
      ? slid
      : graph.op('Slice', [
          slid,
          graph.integers(0, 0),
          graph.integers(kernelHeight, kernelWidth * channels),
          graph.integers(2, 3),
        ]);
  return graph.transpose(graph.reshape(taps, layer.filters, kernelHeight * kernelWidth * channels), 1, 0);
}

/** `[n, c, h, w]` as `[n, h·w, c]`; with one channel the order is the same already. */
function channelsLast(
  graph: GraphBuilder,
  tensor: Tensor,
  { channels, pixels }: { readonly channels: number; readonly pixels: number },
): Tensor {
  return channels === 1 ? tensor : graph.transpose(graph.reshape(tensor, -1, channels, pixels), 0, 2, 1);
}
