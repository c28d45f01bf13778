/** ELU: exponential below 0 (Clevert et al. 2016, arXiv 1511.07289). */
import { elu } from '../primitives/elementwise.js';
import type { LayerModule } from './layer-module.js';
import { type LayerWith, numberWithin } from './settings.js';

const settings = {
  alpha: numberWithin({
    keys: ['alpha'],
    expected: 'a number of at least 0',
    fallback: 1,
    isIn: (alpha) => alpha >= 0,
  }),
};

/** Element by element: x above 0, α (eˣ - 1) below. */
export const eluLayer: LayerModule<LayerWith<'elu', typeof settings>> = {
  kind: 'elu',
  keras: [{ names: ['ELU'], settings }],
  outputShape: (_layer, input) => input,
  maskBehind: () => 'kept',
  forward: ({ alpha }, [x]) => elu(alpha)(x),
  notInTensorflow: ({ alpha }) => (alpha === 1 ? undefined : `alpha ${alpha}`),
};
