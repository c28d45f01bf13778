/** DepthwiseConv2D: kernels of their own slide over each channel of an image. */
import { convolve } from '../../primitives/convolution.js';
import { reshape } from '../../primitives/shaping.js';
import type { Value } from '../../primitives/value.js';
import { activation } from '../activation.js';
import type { LayerContext, LayerModule } from '../layer-module.js';
import { fixed, imageOrder, type LayerWith } from '../settings.js';
import { biasOf, channelsOf, glorotKernel, slidingShape } from '../shapes.js';
import { depthMultiplier, dilation, requireOneStep, useBias, windowSettings } from './convolutions.js';

const settings = {
  ...windowSettings,
  depthMultiplier,
  ...imageOrder,
  dilation,
  groups: fixed('groups', 1),
  activation,
  useBias,
};

type DepthwiseConv2dLayer = LayerWith<'depthwiseConv2d', typeof settings>;

/** Kernel `[kh, kw, in, multiplier]`, bias `[in · multiplier]`. */
export const depthwiseConv2d: LayerModule<DepthwiseConv2dLayer> = {
  kind: 'depthwiseConv2d',
  keras: [{ names: ['DepthwiseConv2D'], settings }],
  outputShape(layer, input) {
    requireOneStep(layer);
    return [
      ...slidingShape(layer, { input, window: layer.kernel }),
      channelsOf(input) * layer.depthMultiplier,
    ];
  },
  parameters: (layer, input) => [
    glorotKernel('depthwise_kernel', [...layer.kernel, channelsOf(input), layer.depthMultiplier]),
    ...biasOf(layer, channelsOf(input) * layer.depthMultiplier),
  ],
  forward(layer, [x], context) {
    const bias = layer.useBias ? context.parameter('bias') : undefined;
    return convolveDepthwise(x, { layer, bias }, context);
  },
  notInTensorflow: ({ dilation: steps }) =>
    steps === undefined ? undefined : `dilation_rate ${steps.join('×')}`,
};

/** A convolution of as many groups as there are channels; its kernel is the layer's `depthwise_kernel`. */
export function convolveDepthwise(
  x: Value,
  {
    layer,
    bias,
  }: {
    readonly layer: Pick<
      DepthwiseConv2dLayer,
      'kernel' | 'strides' | 'padding' | 'dilation' | 'depthMultiplier'
    >;
    readonly bias: Value | undefined;
  },
  context: LayerContext,
): Value {
  const groups = x.shape.at(-1) as number;
  const filters = groups * layer.depthMultiplier;
  const kernel = reshape(context.parameter('depthwise_kernel'), [...layer.kernel, 1, filters]);
  return convolve({ x, kernel, bias }, { ...layer, filters, groups }, context);
}
