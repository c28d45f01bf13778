/** Rescaling: every number times a scale, and moved. */
import { add, mul } from '../primitives/arithmetic.js';
import type { LayerModule } from './layer-module.js';
import { type LayerWith, numberWithin } from './settings.js';

const settings = {
  scale: numberWithin({ keys: ['scale'], expected: 'a number', isIn: Number.isFinite }),
  offset: numberWithin({ keys: ['offset'], expected: 'a number', fallback: 0, isIn: Number.isFinite }),
};

/** scale · x + offset */
export const rescaling: LayerModule<LayerWith<'rescaling', typeof settings>> = {
  kind: 'rescaling',
  keras: [{ names: ['Rescaling'], settings }],
  outputShape: (_layer, input) => input,
  forward: ({ scale, offset }, [x]) => add(mul(x, scale), offset),
};
