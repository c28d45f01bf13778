/** What a loss is: its form in the graph of a training step, and its value for one example. */

import type { LossSettings } from '../../federation/loss.js';
import type { Tensor } from '../graph/graph-builder.js';
import { mul } from '../primitives/arithmetic.js';
import { reduceSum } from '../primitives/reductions.js';
import type { Value } from '../primitives/value.js';

/** What a loss is computed from in a graph. */
export interface LossTerms {
  readonly settings: LossSettings;
  /** `[batch, outputs]`: logits, where the loss has `logitsOf`. */
  readonly output: Value;
  /** As the loss takes them: labels int32 `[batch]`, or numbers `[batch, outputs]`. */
  readonly target: Value;
  /** How much each example counts: `[1]` for all of them alike, or `[batch, 1]`. */
  readonly weights: Value;
  /** How much each answer counts among the right ones, `[batch, 1]`; by default 1. */
  readonly counted?: Tensor | undefined;
}

/** One loss. */
export interface LossModule {
  /** The activation that makes a model's outputs of the logits from which the loss is computed in a graph. */
  readonly logitsOf?: 'softmax' | 'sigmoid';
  /** What one target is: the number of a class, or as many numbers as there are outputs. */
  readonly targets: 'labels' | 'numbers';
  /** The sum of the examples' losses, each times its weight; a scalar. */
  graph(terms: LossTerms): Value;
  /** Number of examples that are answered rightly, a scalar; none where no answer is simply right. */
  correct?(terms: LossTerms): Tensor;
  /** The loss of one example by the numbers that the model puts out, and its target: a label, or numbers. */
  ofExample(output: Float32Array, target: ArrayLike<number>, settings: LossSettings): number;
}

/**
 * The mean over the outputs of each example, summed over the batch, each example times its weight: a scalar.
 *
 * @param losses `[batch, outputs]`
 * @param weights `[1]`, or `[batch, 1]`
 */
export function weightedSum(losses: Value, weights: Value): Value {
  const outputs = losses.shape.at(-1) as number;
  return reduceSum(mul(losses, mul(weights, 1 / outputs)), { axes: [0, 1], keepAxes: false });
}
