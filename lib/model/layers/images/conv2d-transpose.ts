/** Conv2DTranspose: every pixel lays a kernel over a larger image, where they add up (Zeiler et al. 2010). */

import { ModelError } from '../../../core/errors.js';
import { type Extent, windowGeometry } from '../../graph/window-geometry.js';
import { convolveTransposed } from '../../primitives/transposed-convolution.js';
import { activation } from '../activation.js';
import type { LayerModule } from '../layer-module.js';
import {
  fixed,
  imageOrder,
  isNaturalNumber,
  type LayerWith,
  pairOf,
  setting,
  size,
  unlessDefault,
} from '../settings.js';
import { biasOf, channelsOf, glorotKernel, requireImage } from '../shapes.js';
import { dilation, requireOneStep, useBias, windowSettings } from './convolutions.js';

const settings = {
  filters: size('filters', 'nb_filter'),
  ...windowSettings,
  ...imageOrder,
  dilation,
  groups: fixed('groups', 1),
  activation,
  useBias,
  /** Rows and columns more than the least that there can be; without it as many as make the image strides times as large. */
  outputPadding: unlessDefault(
    setting<Extent | null>({
      keys: ['output_padding'],
      expected: 'none, or one or two whole numbers of at least 0',
      fallback: null,
      parse: pairOf(isNaturalNumber),
    }),
    null,
  ),
};

type Conv2dTransposeLayer = LayerWith<'conv2dTranspose', typeof settings>;

/** Kernel `[kh, kw, filters, in]`, bias `[filters]`. */
export const conv2dTranspose: LayerModule<Conv2dTransposeLayer> = {
  kind: 'conv2dTranspose',
  keras: [{ names: ['Conv2DTranspose', 'Deconvolution2D'], settings }],
  outputShape(layer, input) {
    requireImage(layer, input);
    requireOneStep(layer);
    return [...enlarged(layer, input), layer.filters];
  },
  parameters: (layer, input) => [
    glorotKernel('kernel', [...layer.kernel, layer.filters, channelsOf(input)]),
    ...biasOf(layer, layer.filters),
  ],
  forward(layer, [x], context) {
    const bias = layer.useBias ? context.parameter('bias') : undefined;
    const output = enlarged(layer, x.shape.slice(1));
    return convolveTransposed({ x, kernel: context.parameter('kernel'), bias }, { ...layer, output });
  },
  notInTensorflow({ dilation: steps, outputPadding }) {
    if (outputPadding) return `output_padding ${outputPadding.join('×')}`;
    return steps === undefined ? undefined : `dilation_rate ${steps.join('×')}`;
  },
};

/**
 * Height and width of what comes out.
 *
 * @throws {ModelError} where no convolution of such an image gives what goes in
 */
function enlarged(layer: Conv2dTransposeLayer, [height = 0, width = 0]: readonly number[]): Extent {
  const { name, kernel, strides, dilation: steps = [1, 1], padding, outputPadding } = layer;
  const along = (axis: 0 | 1, extent: number) => {
    const [stride, window] = [strides[axis], (kernel[axis] - 1) * steps[axis] + 1];
    const more = outputPadding?.[axis];
    if (padding === 'valid') return (extent - 1) * stride + window + (more ?? Math.max(stride - window, 0));
    return more === undefined ? extent * stride : (extent - 1) * stride + (window % 2) + more;
  };
  const output: Extent = [along(0, height), along(1, width)];
  const back = windowGeometry(output, { ...layer, window: kernel }).output;
  const isTooMuch = outputPadding?.some((more, axis) => more >= (strides[axis] as number)) ?? false;
  if (back[0] === height && back[1] === width && !isTooMuch) return output;
  throw new ModelError(
    `layer ${name}: output_padding ${outputPadding?.join('×')} is not possible with kernel_size ${kernel.join('×')}, strides ${strides.join('×')} and padding ${padding}`,
  );
}
