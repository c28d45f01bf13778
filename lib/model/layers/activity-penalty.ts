/** The penalty on what a layer gives out: an activity regularizer, as an operation of its own behind the layer. */
import { add, mul } from '../primitives/arithmetic.js';
import { abs } from '../primitives/elementwise.js';
import { reduceSum } from '../primitives/reductions.js';
import type { LayerModule } from './layer-module.js';
import type { Penalty } from './layer-training.js';

/** Gives its input out as it is. */
export interface ActivityPenalty extends Penalty {
  readonly kind: 'activityPenalty';
  readonly name: string;
}

/** Keras has it as a setting of layers; no class of its own is read as it. */
export const activityPenalty: LayerModule<ActivityPenalty> = {
  kind: 'activityPenalty',
  keras: [],
  outputShape: (_layer, input) => input,
  forward({ l1, l2 }, [x], context) {
    if (!context.training) return x;
    const all = { axes: x.shape.map((_, at) => at), keepAxes: false };
    const sum = add(mul(reduceSum(abs(x), all), l1), mul(reduceSum(mul(x, x), all), l2));
    // The mean over examples, as Keras says; Keras 3 took the sum at first.
    context.penalty(mul(sum, context.batchShare()));
    return x;
  },
};
