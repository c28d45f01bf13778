/** The penalty on what a layer gives out: ActivityRegularization, and an activity regularizer as an operation behind its layer. */
import { add, mul } from '../primitives/arithmetic.js';
import { abs } from '../primitives/elementwise.js';
import { reduceSum } from '../primitives/reductions.js';
import type { LayerModule } from './layer-module.js';
import { type LayerWith, numberWithin } from './settings.js';

const factor = (key: string) =>
  numberWithin({ keys: [key], expected: 'a number of at least 0', fallback: 0, isIn: (value) => value >= 0 });

/** l1 · Σ|x| + l2 · Σx² */
const settings = { l1: factor('l1'), l2: factor('l2') };

/** Gives its input out as it is. */
export const activityPenalty: LayerModule<LayerWith<'activityPenalty', typeof settings>> = {
  kind: 'activityPenalty',
  keras: [{ names: ['ActivityRegularization'], settings }],
  outputShape: (_layer, input) => input,
  maskBehind: () => 'kept',
  forward({ l1, l2 }, [x], context) {
    if (!context.training) return x;
    const all = { axes: x.shape.map((_, at) => at), keepAxes: false };
    const sum = add(mul(reduceSum(abs(x), all), l1), mul(reduceSum(mul(x, x), all), l2));
    // The mean over examples, as Keras says; Keras 3 took the sum at first.
    context.penalty(mul(sum, context.batchShare()));
    return x;
  },
};
