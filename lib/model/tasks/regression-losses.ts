/** Losses of numbers: how far outputs are from targets, as Keras defines them; each is a mean over the outputs. */

import type { LossSettings } from '../../federation/loss.js';
import { add, mul, sub } from '../primitives/arithmetic.js';
import { abs, clip, log, softplus } from '../primitives/elementwise.js';
import type { Value } from '../primitives/value.js';
import { type LossModule, weightedSum } from './loss-module.js';

/** Keras' epsilon, which keeps logarithms finite. */
const EPSILON = 1e-7;

interface Formula {
  /** Of each output, in a graph. */
  graph(output: Value, target: Value, settings: LossSettings): Value;
  /** Of one number. */
  of(output: number, target: number, settings: LossSettings): number;
}

function regressionLoss({ graph, of }: Formula): LossModule {
  return {
    targets: 'numbers',
    graph: ({ output, target, weights, settings }) => weightedSum(graph(output, target, settings), weights),
    ofExample(output, target, settings) {
      let sum = 0;
      for (let at = 0; at < output.length; at++)
        sum += of(output[at] as number, target[at] as number, settings);
      return sum / output.length;
    },
  };
}

const square = (value: Value) => mul(value, value);
const atLeast = (value: Value, lowest: number) => clip(value, lowest, 3.4e38);

/** The mean squared error. */
export const meanSquaredError = regressionLoss({
  graph: (output, target) => square(sub(output, target)),
  of: (output, target) => (output - target) ** 2,
});

/** The mean absolute error. */
export const meanAbsoluteError = regressionLoss({
  graph: (output, target) => abs(sub(output, target)),
  of: (output, target) => Math.abs(output - target),
});

/** A square near 0, a line beyond δ (Huber 1964). */
export const huber = regressionLoss({
  graph(output, target, { delta = 1 }) {
    // q (|e| - q / 2) with q = min(|e|, δ) is e² / 2 up to δ, and δ |e| - δ² / 2 beyond.
    const distance = abs(sub(output, target));
    const near = clip(distance, -1, delta);
    return mul(near, sub(distance, mul(near, 0.5)));
  },
  of(output, target, { delta = 1 }) {
    const distance = Math.abs(output - target);
    return distance <= delta ? distance ** 2 / 2 : delta * (distance - delta / 2);
  },
});

/** The negative logarithm of a Poisson likelihood, without what depends on the target alone. */
export const poisson = regressionLoss({
  graph: (output, target) => sub(output, mul(target, log(add(output, EPSILON)))),
  of: (output, target) => output - target * Math.log(output + EPSILON),
});

/** The logarithm of the hyperbolic cosine of the error: near 0 half its square, far off its size less ln 2. */
export const logCosh = regressionLoss({
  graph(output, target) {
    const error = sub(output, target);
    return sub(add(error, softplus(mul(error, -2))), Math.LN2);
  },
  of(output, target) {
    const distance = Math.abs(output - target);
    return distance + Math.log1p(Math.exp(-2 * distance)) - Math.LN2;
  },
});

/** The mean squared error of logarithms: of one more than output and target. */
export const meanSquaredLogarithmicError = regressionLoss({
  graph(output, target) {
    const logarithm = (value: Value) => log(add(atLeast(value, EPSILON), 1));
    return square(sub(logarithm(output), logarithm(target)));
  },
  of: (output, target) =>
    (Math.log1p(Math.max(EPSILON, output)) - Math.log1p(Math.max(EPSILON, target))) ** 2,
});
