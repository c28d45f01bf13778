/** Dense: every output is a weighted sum of every feature, the last axis. */
import { multiplyRows } from '../primitives/products.js';
import { activation } from './activation.js';
import type { LayerModule } from './layer-module.js';
import { flag, type LayerWith, size } from './settings.js';
import { channelsOf, kernelAndBias } from './shapes.js';

const settings = { units: size('units', 'output_dim'), useBias: flag('use_bias', 'bias'), activation };

/** Kernel `[in, units]`, bias `[units]`. */
export const dense: LayerModule<LayerWith<'dense', typeof settings>> = {
  kind: 'dense',
  keras: [{ names: ['Dense'], settings }],
  outputShape: ({ units }, input) => [...input.slice(0, -1), units],
  maskBehind: () => 'kept',
  parameters: (layer, input) => kernelAndBias(layer, [channelsOf(input), layer.units]),
  forward(layer, [x], context) {
    const bias = layer.useBias ? context.parameter('bias') : undefined;
    return multiplyRows(x, context.parameter('kernel'), bias);
  },
};
