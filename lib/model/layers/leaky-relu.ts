/** LeakyReLU: a relu with a slope below 0 (Maas et al. 2013). */
import { leakyRelu } from '../primitives/elementwise.js';
import type { LayerModule } from './layer-module.js';
import { type LayerWith, numberWithin } from './settings.js';

const settings = {
  /** Keras 3 calls it `negative_slope` and reads both. */
  slope: numberWithin({
    keys: ['alpha', 'negative_slope'],
    expected: 'a number of at least 0',
    fallback: 0.3,
    isIn: (slope) => slope >= 0,
  }),
};

/** Element by element: x above 0, `slope` · x below. */
export const leakyReluLayer: LayerModule<LayerWith<'leakyRelu', typeof settings>> = {
  kind: 'leakyRelu',
  keras: [{ names: ['LeakyReLU'], settings }],
  outputShape: (_layer, input) => input,
  maskBehind: () => 'kept',
  forward: ({ slope }, [x]) => leakyRelu(slope)(x),
};
