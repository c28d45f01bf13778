/** Cross-entropies: of one class out of several, and of each output for itself. */

import type { LossSettings } from '../../federation/loss.js';
import type { Tensor } from '../graph/graph-builder.js';
import { add, mul, sub } from '../primitives/arithmetic.js';
import { softmaxCrossEntropy } from '../primitives/cross-entropy.js';
import { softplus } from '../primitives/elementwise.js';
import type { Value } from '../primitives/value.js';
import { type LossModule, type LossTerms, weightedSum } from './loss-module.js';

/** Keras clips probabilities by its epsilon, so that a certain mistake has a finite loss. */
const SMALLEST_PROBABILITY = 1e-7;

const clipped = (probability: number) =>
  Math.min(1 - SMALLEST_PROBABILITY, Math.max(SMALLEST_PROBABILITY, probability));

/** One class out of several: labels, and a softmax over the outputs. */
export const categoricalCrossEntropy: LossModule = {
  logitsOf: 'softmax',
  targets: 'labels',
  graph({ output: logits, target, weights, settings }) {
    const { graph } = logits;
    const { classes, label, numbers } = againstClasses(logits, target);
    // OneHot would run on the processor under WebGPU.
    const isClass = graph.op('Cast', [graph.op('Equal', [numbers, label])], { to: 1 });
    const smoothing = settings.labelSmoothing ?? 0;
    const sharp = { graph, tensor: isClass, shape: logits.shape };
    const expected = smoothing === 0 ? sharp : add(mul(sharp, 1 - smoothing), smoothing / classes);
    return softmaxCrossEntropy({ logits, expected: expected.tensor, weights });
  },
  correct({ output: logits, target, counted }) {
    const { graph } = logits;
    const { classes, label, numbers } = againstClasses(logits, target);
    // ArgMax gives int64, which WebGPU has not; of equals the first counts.
    const rows = graph.integers(-1);
    const largest = graph.op('ReduceMax', [logits.tensor, rows], { keepdims: 1 });
    const candidates = graph.op('Where', [
      graph.op('Equal', [logits.tensor, largest]),
      numbers,
      graph.scalar(classes),
    ]);
    const predicted = graph.op('ReduceMin', [candidates, rows], { keepdims: 1 });
    return sumOfCounted(
      graph.op('Cast', [graph.op('Equal', [predicted, label])], { to: 1 }),
      logits,
      counted,
    );
  },
  ofExample(output, target, { fromLogits = false, labelSmoothing: smoothing = 0 }) {
    const label = target[0] as number;
    const logOf = fromLogits ? logSoftmax(output) : (at: number) => Math.log(clipped(output[at] as number));
    if (smoothing === 0) return -logOf(label);
    const mean = output.reduce((sum, _, at) => sum + logOf(at), 0) / output.length;
    return -(1 - smoothing) * logOf(label) - smoothing * mean;
  },
};

/** The sum over answers and outputs, each answer as often as it counts. */
function sumOfCounted(right: Tensor, { graph }: Value, counted: Tensor | undefined): Tensor {
  return graph.sum(counted === undefined ? right : graph.op('Mul', [right, counted]), 0, 1);
}

/** Labels as a column of float32, and the number of each class, which they are compared with. */
function againstClasses({ graph, shape }: Value, { tensor: labels }: Value) {
  const classes = shape.at(-1) as number;
  return {
    classes,
    label: graph.reshape(graph.op('Cast', [labels], { to: 1 }), -1, 1),
    numbers: graph.constant(Float32Array.from({ length: classes }, (_, index) => index)),
  };
}

function logSoftmax(logits: Float32Array): (at: number) => number {
  const largest = logits.reduce((most, each) => Math.max(most, each), Number.NEGATIVE_INFINITY);
  const sum = logits.reduce((total, each) => total + Math.exp(each - largest), 0);
  return (at) => (logits[at] as number) - largest - Math.log(sum);
}

const smoothed = (target: number, smoothing: number) => target * (1 - smoothing) + smoothing / 2;

/** Each output for itself: how likely it is that the target is 1. */
export const binaryCrossEntropy: LossModule = {
  logitsOf: 'sigmoid',
  targets: 'numbers',
  graph({ output: logits, target, weights, settings }) {
    const smoothing = settings.labelSmoothing ?? 0;
    const expected = smoothing === 0 ? target : add(mul(target, 1 - smoothing), smoothing / 2);
    return weightedSum(sub(softplus(logits), mul(logits, expected)), weights);
  },
  correct({ output: logits, target, counted }: LossTerms) {
    const { graph } = logits;
    const half = graph.scalar(0.5);
    const isYes = graph.op('Cast', [graph.op('Greater', [logits.tensor, graph.scalar(0)])], { to: 1 });
    const shouldBe = graph.op('Cast', [graph.op('Greater', [target.tensor, half])], { to: 1 });
    const right = graph.op('Cast', [graph.op('Equal', [isYes, shouldBe])], { to: 1 });
    const outputs = logits.shape.at(-1) as number;
    return graph.op('Mul', [sumOfCounted(right, logits, counted), graph.scalar(1 / outputs)]);
  },
  ofExample(output, target, settings: LossSettings) {
    const { fromLogits = false, labelSmoothing = 0 } = settings;
    let sum = 0;
    for (let at = 0; at < output.length; at++) {
      const [value, wanted] = [output[at] as number, smoothed(target[at] as number, labelSmoothing)];
      sum += fromLogits ? softplusOf(value) - value * wanted : entropyOf(clipped(value), wanted);
    }
    return sum / output.length;
  },
};

const softplusOf = (value: number) => Math.max(value, 0) + Math.log1p(Math.exp(-Math.abs(value)));

const entropyOf = (probability: number, wanted: number) =>
  -wanted * Math.log(probability) - (1 - wanted) * Math.log(1 - probability);
