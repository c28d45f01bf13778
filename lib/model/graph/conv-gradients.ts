/** The gradient of a convolution's kernel, as a convolution of its own. */
import type { GraphBuilder, Tensor } from './graph-builder.js';
import {
  type Extent,
  onnxPads,
  type Padding,
  type WindowGeometry,
  windowGeometry,
} from './window-geometry.js';

/** Kernel `[kh, kw, in / groups, filters]`. */
export interface Convolution {
  readonly filters: number;
  readonly kernel: Extent;
  readonly strides: Extent;
  readonly padding: Padding;
  /** Pixels from one place of the kernel to the next; 1 by default. */
  readonly dilation?: Extent;
  /** Channels and filters are dealt to so many convolutions that lie beside each other; 1 by default. */
  readonly groups?: number;
}

/** A convolution with the sizes around it. */
export interface ConvShape {
  readonly channels: number;
  readonly height: number;
  readonly width: number;
  readonly layer: Convolution;
  readonly geometry: WindowGeometry;
}

/** The sizes of a convolution of images `[h, w, c]`. */
export function convShape(
  layer: Convolution,
  [height = 0, width = 0, channels = 0]: readonly number[],
): ConvShape {
  const geometry = windowGeometry([height, width], { ...layer, window: layer.kernel });
  return { channels, height, width, layer, geometry };
}

/** The tensors around a convolution. */
interface ConvTensors {
  /** Its input, channels last: `[n, h, w, c]` in whatever shape. */
  readonly image: Tensor;
  /** The gradient at its output, `[n, filters, h, w]`. */
  readonly dy: Tensor;
  /** Examples of every batch, where it is the same number. */
  readonly batchSize: number | undefined;
}

/** Whether a convolution is neither dilated nor in groups. */
export const isPlain = ({ dilation = [1, 1], groups = 1 }: Convolution): boolean =>
  groups === 1 && dilation.every((step) => step === 1);

/** The attributes of ONNX's Conv and ConvTranspose. */
export function convAttributes({ layer, geometry }: ConvShape) {
  const { kernel, strides, dilation = [1, 1], groups = 1 } = layer;
  const window = { kernel_shape: kernel, strides, pads: onnxPads(geometry) };
  return isPlain(layer) ? window : { ...window, dilations: dilation, group: groups };
}

/** Numbers of the largest kernel that every example gets a gradient of its own for: 1 MB, as much as a core's cache holds. */
const MAX_PRODUCT = 2 ** 18;

/** The gradient of a plain convolution's kernel, as `[kh·kw·c, filters]`. */
export function convKernelGradient(
  graph: GraphBuilder,
  { image, dy, batchSize }: ConvTensors,
  shape: ConvShape,
): Tensor {
  const size = shape.layer.filters * tapCount(shape);
  return batchSize === undefined || size > MAX_PRODUCT
    ? kernelGradient(graph, { image, filter: examplesAsChannels(graph, dy, shape) }, shape)
    : kernelGradientByExample(graph, { image, dy, batchSize }, shape);
}

/** `[n, filters, h, w]` as `[filters, n, h, w]`. */
function examplesAsChannels(graph: GraphBuilder, dy: Tensor, { layer, geometry }: ConvShape): Tensor {
  const [height, width] = geometry.output;
  const planes = graph.transpose(graph.reshape(dy, -1, layer.filters, height * width), 1, 0, 2);
  return graph.reshape(planes, layer.filters, -1, height, width);
}

/**
 * The kernel gradient as ONE convolution: dW[i,j,c,o] = Σ x[n, p·sh+i, q·sw+j, c] · dy[n,o,p,q] slides dy (as a filter
 * whose channels are the examples) over x. With x in channels-last order viewed as an image of W·C columns, a column
 * dilation of C steps from pixel to pixel, so that all input channels come out side by side. Strides are dilations
 * here, padding pads. Measured 2 to 4 times faster than im2col or swapped-axes formulations on ONNX Runtime's CPU.
 *
 * @returns `[kh·kw·c, filters]`
 */
function kernelGradient(
  graph: GraphBuilder,
  { image, filter }: { readonly image: Tensor; readonly filter: Tensor },
  shape: ConvShape,
): Tensor {
  const taps = slide(graph, { image, filter, groups: 1 }, shape);
  return graph.transpose(graph.reshape(taps, shape.layer.filters, tapCount(shape)), 1, 0);
}

/**
 * The same for a known number of examples: each slides its own dy over its own image, and the products are added up.
 * They are small enough to stay in a core's cache, and dy is taken as it lies: 20 % faster than all examples at once.
 *
 * @returns `[kh·kw·c, filters]`
 */
function kernelGradientByExample(
  graph: GraphBuilder,
  { image, dy, batchSize }: { readonly image: Tensor; readonly dy: Tensor; readonly batchSize: number },
  shape: ConvShape,
): Tensor {
  const { filters } = shape.layer;
  const filter = graph.reshape(dy, batchSize * filters, 1, ...shape.geometry.output);
  const products = slide(graph, { image, filter, groups: batchSize }, shape);
  const sum = graph.sum(graph.reshape(products, batchSize, filters * tapCount(shape)), 0);
  return graph.transpose(graph.reshape(sum, filters, tapCount(shape)), 1, 0);
}

const tapCount = ({ channels, layer }: ConvShape) => layer.kernel[0] * layer.kernel[1] * channels;

/** Slides `filter` over the images of all examples, in as many groups; `[1, groups · filters, kh, kw · c]`. */
function slide(
  graph: GraphBuilder,
  { image, filter, groups }: { readonly image: Tensor; readonly filter: Tensor; readonly groups: number },
  { channels, height, width, layer, geometry }: ConvShape,
): Tensor {
  const [top, left] = geometry.padBefore;
  const [bottom, right] = geometry.padAfter;
  const slid = graph.op('Conv', [graph.reshape(image, 1, -1, height, width * channels), filter], {
    kernel_shape: geometry.output,
    dilations: [layer.strides[0], layer.strides[1] * channels],
    pads: [top, left * channels, bottom, right * channels],
    group: groups,
  });
  // Rows and columns that no window covers come out as further taps: cut off.
  const [extraRows, extraColumns] = geometry.uncovered;
  if (extraRows === 0 && extraColumns === 0) return slid;
  return graph.op('Slice', [
    slid,
    graph.integers(0, 0),
    graph.integers(layer.kernel[0], layer.kernel[1] * channels),
    graph.integers(2, 3),
  ]);
}

/**
 * The kernel gradient of any convolution: dy slides over the images as a filter, the examples taking the place of the
 * channels. Strides and dilation change places.
 *
 * @param image `[n, c, h, w]`
 * @param dy `[n, filters, h, w]`
 * @returns `[kh, kw, c / groups, filters]`
 */
export function groupedKernelGradient(
  graph: GraphBuilder,
  { image, dy }: { readonly image: Tensor; readonly dy: Tensor },
  shape: ConvShape,
): Tensor {
  const { channels, height, width, layer, geometry } = shape;
  const { groups = 1, kernel, strides, dilation = [1, 1], filters } = layer;
  const inGroup = channels / groups;
  const planes = graph.transpose(graph.reshape(image, -1, groups, inGroup, height * width), 2, 1, 0, 3);
  const slid = graph.op(
    'Conv',
    [graph.reshape(planes, inGroup, -1, height, width), examplesAsChannels(graph, dy, shape)],
    {
      kernel_shape: geometry.output,
      strides: dilation,
      dilations: strides,
      pads: onnxPads(geometry),
      group: groups,
    },
  );
  const hasMore = geometry.uncovered.some((extra, axis) => extra >= (dilation[axis] as number));
  const taps = hasMore
    ? graph.op('Slice', [slid, graph.integers(0, 0), graph.integers(...kernel), graph.integers(2, 3)])
    : slid;
  return graph.transpose(graph.reshape(taps, inGroup, filters, ...kernel), 2, 3, 0, 1);
}
