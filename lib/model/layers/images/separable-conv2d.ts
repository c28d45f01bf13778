/** SeparableConv2D: a depthwise convolution, and one of single pixels that mixes its channels (Chollet 2017, arXiv 1610.02357). */
import { convolve } from '../../primitives/convolution.js';
import { activation } from '../activation.js';
import type { LayerModule } from '../layer-module.js';
import { fixed, imageOrder, type LayerWith, size } from '../settings.js';
import { biasOf, channelsOf, glorotKernel, slidingShape } from '../shapes.js';
import { depthMultiplier, dilation, requireOneStep, useBias, windowSettings } from './convolutions.js';
import { convolveDepthwise } from './depthwise-conv2d.js';

const settings = {
  filters: size('filters', 'nb_filter'),
  ...windowSettings,
  ...imageOrder,
  dilation,
  depthMultiplier,
  groups: fixed('groups', 1),
  activation,
  useBias,
};

/** Kernels `[kh, kw, in, multiplier]` and `[1, 1, in · multiplier, filters]`, bias `[filters]`. */
export const separableConv2d: LayerModule<LayerWith<'separableConv2d', typeof settings>> = {
  kind: 'separableConv2d',
  keras: [{ names: ['SeparableConv2D', 'SeparableConvolution2D'], settings }],
  outputShape(layer, input) {
    requireOneStep(layer);
    return [...slidingShape(layer, { input, window: layer.kernel }), layer.filters];
  },
  parameters(layer, input) {
    const channels = channelsOf(input);
    const { kernel, depthMultiplier: multiplier, filters } = layer;
    return [
      glorotKernel('depthwise_kernel', [...kernel, channels, multiplier]),
      glorotKernel('pointwise_kernel', [1, 1, channels * multiplier, filters]),
      ...biasOf(layer, filters),
    ];
  },
  forward(layer, [input], context) {
    const x = convolveDepthwise(input, { layer, bias: undefined }, context);
    const bias = layer.useBias ? context.parameter('bias') : undefined;
    return convolve(
      { x, kernel: context.parameter('pointwise_kernel'), bias },
      { filters: layer.filters, kernel: [1, 1], strides: [1, 1], padding: 'valid' },
      context,
    );
  },
};
