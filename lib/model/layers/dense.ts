/** Dense: every output is a weighted sum of every input. */
import { formatShape } from '../../core/weights.js';
import { ModelError } from '../model-error.js';
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
  outputShape({ name, units }, input) {
    if (input.length !== 1) {
      throw new ModelError(
        `layer ${name}: Dense takes [features], its input is ${formatShape(input)}; put a Flatten before it`,
      );
    }
    return [units];
  },
  parameters: (layer, input) => kernelAndBias(layer, [channelsOf(input), layer.units]),
  forward(layer, [x], context) {
    const bias = layer.useBias ? context.parameter('bias') : undefined;
    return multiplyRows(x, context.parameter('kernel'), bias);
  },
};
