/** Conv2D: a kernel that slides over an image. */
import { ModelError } from '../../../core/errors.js';
import { convolve } from '../../primitives/convolution.js';
import { activation } from '../activation.js';
import type { LayerModule } from '../layer-module.js';
import { imageOrder, type LayerWith, size, sizeOrOne, unlessDefault } from '../settings.js';
import { channelsOf, kernelAndBias, slidingShape } from '../shapes.js';
import { dilation, requireOneStep, useBias, windowSettings } from './convolutions.js';

const settings = {
  filters: size('filters', 'nb_filter'),
  ...windowSettings,
  ...imageOrder,
  useBias,
  activation,
  dilation,
  groups: unlessDefault(sizeOrOne('groups'), 1),
};

type Conv2dLayer = LayerWith<'conv2d', typeof settings>;

/** Kernel `[kh, kw, in / groups, filters]`, bias `[filters]`. */
export const conv2d: LayerModule<Conv2dLayer> = {
  kind: 'conv2d',
  keras: [{ names: ['Conv2D', 'Convolution2D'], settings }],
  outputShape(layer, input) {
    const { name, filters, groups = 1, kernel } = layer;
    requireOneStep(layer);
    for (const [what, count] of [
      ['channels', channelsOf(input)],
      ['filters', filters],
    ] as const) {
      if (count % groups !== 0)
        throw new ModelError(`layer ${name}: its ${count} ${what} are no multiple of its groups, ${groups}`);
    }
    return [...slidingShape(layer, { input, window: kernel }), filters];
  },
  parameters: (layer, input) =>
    kernelAndBias(layer, [...layer.kernel, channelsOf(input) / (layer.groups ?? 1), layer.filters]),
  forward(layer, [x], context) {
    const bias = layer.useBias ? context.parameter('bias') : undefined;
    return convolve({ x, kernel: context.parameter('kernel'), bias }, layer, context);
  },
  beginsBlocks: ({ filters }, blockSize) => filters % blockSize === 0,
  notInTensorflow: ({ groups }) => (groups === undefined ? undefined : `groups ${groups}`),
};
