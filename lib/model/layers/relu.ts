/** ReLU with bounds and a slope below them. */
import { rectify } from '../primitives/elementwise.js';
import type { LayerModule } from './layer-module.js';
import { type LayerWith, numberWhere, numberWithin, setting } from './settings.js';

const isInBounds = (value: number) => value >= 0;

function bound(key: string, fallback: number) {
  return numberWithin({ keys: [key], expected: 'a number of at least 0', fallback, isIn: isInBounds });
}

const settings = {
  maxValue: setting<number | null>({
    keys: ['max_value'],
    expected: 'none or a number of at least 0',
    fallback: null,
    parse: numberWhere(isInBounds),
  }),
  slope: bound('negative_slope', 0),
  threshold: bound('threshold', 0),
};

/** Element by element: x from the threshold on, at most maxValue; slope · (x - threshold) below. */
export const reluLayer: LayerModule<LayerWith<'relu', typeof settings>> = {
  kind: 'relu',
  keras: [
    { names: ['ReLU'], settings },
    // Konda et al. 2014, arXiv 1402.3337; gone since Keras 3.
    {
      names: ['ThresholdedReLU'],
      settings: { threshold: bound('theta', 1) },
      given: { maxValue: null, slope: 0 },
    },
  ],
  outputShape: (_layer, input) => input,
  asActivation({ maxValue, slope, threshold }) {
    if (slope !== 0 || threshold !== 0) return undefined;
    return maxValue === null ? 'relu' : maxValue === 6 ? 'relu6' : undefined;
  },
  forward: (layer, [x]) => rectify(x, layer),
  notInTensorflow({ slope, threshold }) {
    if (threshold !== 0) return `threshold ${threshold}`;
    return slope === 0 ? undefined : `negative_slope ${slope}`;
  },
};
