/** Conv2D: a kernel that slides over an image. */
import type { Extent } from '../graph/window-geometry.js';
import { ModelError } from '../model-error.js';
import { convolve } from '../primitives/convolution.js';
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
  forward(layer, [x], context) {
    const bias = layer.useBias ? context.parameter('bias') : undefined;
    return convolve({ x, kernel: context.parameter('kernel'), bias }, layer, context);
  },
  beginsBlocks: ({ filters }, blockSize) => filters % blockSize === 0,
};
