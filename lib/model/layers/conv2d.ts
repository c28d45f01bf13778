/** Conv2D: a kernel that slides over an image. */
import { applyBlockedConv2d, canBlockConv2d } from '../graph/blocked-conv2d.js';
import { convShape, reportConvGradients } from '../graph/conv-gradients.js';
import type { Extent } from '../graph/window-geometry.js';
import { onnxPads } from '../graph/window-geometry.js';
import { ModelError } from '../model-error.js';
import { activation } from './activation.js';
import type { LayerModule } from './layer-module.js';
import {
  extent,
  fixed,
  flag,
  imageOrder,
  type LayerSetting,
  type LayerWith,
  padding,
  size,
} from './settings.js';
import { channelsOf, kernelAndBias, slidingShape } from './shapes.js';

const [kernelSize, rows, columns] = [extent(['kernel_size']), size('nb_row'), size('nb_col')];

/** Keras 1 had a number for each side. */
const kernel: LayerSetting<Extent> = {
  ...kernelSize,
  keys: [...kernelSize.keys, ...rows.keys, ...columns.keys],
  read: (settings) =>
    settings.has('nb_row') ? [rows.read(settings), columns.read(settings)] : kernelSize.read(settings),
};

const settings = {
  filters: size('filters', 'nb_filter'),
  kernel,
  strides: extent(['strides', 'subsample'], [1, 1]),
  padding,
  ...imageOrder,
  useBias: flag('use_bias', 'bias'),
  activation,
  dilation: fixed('dilation_rate', 1),
  groups: fixed('groups', 1),
};

type Conv2dLayer = LayerWith<'conv2d', typeof settings>;

/** Kernel `[kh, kw, in, filters]`, bias `[filters]`. */
export const conv2d: LayerModule<Conv2dLayer> = {
  kind: 'conv2d',
  keras: [{ names: ['Conv2D', 'Convolution2D'], settings }],
  outputShape(layer, input) {
    if (layer.activation === 'softmax') {
      throw new ModelError(
        `layer ${layer.name}: activation softmax over the channels of an image is not supported`,
      );
    }
    return [...slidingShape(layer, { input, window: layer.kernel }), layer.filters];
  },
  parameters: (layer, input) => kernelAndBias(layer, [...layer.kernel, channelsOf(input), layer.filters]),
  forward(layer, input, context) {
    const { graph } = context;
    const shape = convShape(layer, input);
    const { channels, height, width, geometry } = shape;
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
        const image =
          channels === 1
            ? input.tensor
            : graph.transpose(graph.reshape(input.tensor, -1, channels, height * width), 0, 2, 1);
        reportConvGradients(context, { image, dy }, shape);
        if (!needsInputGradient) return undefined;
        return graph.op('ConvTranspose', [dy, kernel], { ...window, output_padding: geometry.uncovered });
      },
    };
  },
  blocked: {
    begins: ({ filters }, blockSize) => filters % blockSize === 0,
    accepts: canBlockConv2d,
    forward: applyBlockedConv2d,
  },
};
