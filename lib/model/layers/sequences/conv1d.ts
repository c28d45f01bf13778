/** Conv1D: a kernel that slides along a sequence. */
import { convolve } from '../../primitives/convolution.js';
import { pad, reshape } from '../../primitives/shaping.js';
import { activation } from '../activation.js';
import { conv2d } from '../images/conv2d.js';
import { useBias } from '../images/convolutions.js';
import type { LayerModule } from '../layer-module.js';
import { imageOrder, type LayerWith, setting, size, sizeOrOne, unlessDefault } from '../settings.js';
import { channelsOf, kernelAndBias } from '../shapes.js';
import { asRow, extent1d, fromRow, requireSequence } from './sequences.js';

const settings = {
  filters: size('filters', 'nb_filter'),
  length: extent1d(['kernel_size', 'filter_length']),
  stride: extent1d(['strides', 'subsample_length'], 1),
  /** `causal` pads before the sequence alone: no output knows what comes later. */
  border: setting<'valid' | 'same' | 'causal'>({
    keys: ['padding', 'border_mode'],
    expected: 'valid, same or causal',
    fallback: 'valid',
    parse: (value) => (value === 'valid' || value === 'same' || value === 'causal' ? value : undefined),
  }),
  ...imageOrder,
  useBias,
  activation,
  step: unlessDefault(extent1d(['dilation_rate'], 1), 1),
  groups: unlessDefault(sizeOrOne('groups'), 1),
};

type Conv1dLayer = LayerWith<'conv1d', typeof settings>;

/** Kernel `[length, in / groups, filters]`, bias `[filters]`. */
export const conv1d: LayerModule<Conv1dLayer> = {
  kind: 'conv1d',
  keras: [{ names: ['Conv1D', 'Convolution1D'], settings }],
  outputShape(layer, input) {
    requireSequence(layer, input);
    const [steps = 0, channels = 0] = input;
    return conv2d.outputShape(onRow(layer), [1, steps + causalPad(layer), channels]).slice(1);
  },
  parameters: (layer, input) =>
    kernelAndBias(layer, [layer.length, channelsOf(input) / (layer.groups ?? 1), layer.filters]),
  forward(layer, [x], context) {
    const padded = pad(x, [
      [0, 0],
      [causalPad(layer), 0],
      [0, 0],
    ]);
    const kernel = context.parameter('kernel');
    const bias = layer.useBias ? context.parameter('bias') : undefined;
    const operands = { x: asRow(padded), kernel: reshape(kernel, [1, ...kernel.shape]), bias };
    return fromRow(convolve(operands, onRow(layer), { ...context, blockSize: undefined }));
  },
  notInTensorflow({ groups, border }) {
    if (border === 'causal') return 'padding causal';
    return groups === undefined ? undefined : `groups ${groups}`;
  },
};

/** As a convolution of images of one row. */
const onRow = ({ length, stride, step, border, ...others }: Conv1dLayer) => ({
  ...others,
  kind: 'conv2d' as const,
  kernel: [1, length] as const,
  strides: [1, stride] as const,
  padding: border === 'same' ? ('same' as const) : ('valid' as const),
  ...(step === undefined ? {} : { dilation: [1, step] as const }),
});

const causalPad = ({ border, length, step = 1 }: Conv1dLayer): number =>
  border === 'causal' ? (length - 1) * step : 0;
