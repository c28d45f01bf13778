/** Optimizers as graph nodes, over one tensor of parameters at a time. */

import { type Gradient, gradientTensor } from '../../../model/graph/gradient.js';
import type { GraphBuilder, Tensor } from '../../../model/graph/graph-builder.js';
import type { OptimizerSettings } from '../../engine.js';

/** Names of an optimizer's state tensors, each shaped as the parameters that it goes with, starting at 0. */
export function optimizerSlots(optimizer: OptimizerSettings): readonly string[] {
  if (optimizer.kind === 'adam') return ['mean', 'variance'];
  return optimizer.momentum === 0 ? [] : ['velocity'];
}

/** The tensors of one optimizer step. */
interface OptimizerStep {
  readonly weights: Tensor;
  readonly gradient: Gradient;
  /** In the order of `optimizerSlots`. */
  readonly slots: readonly Tensor[];
  /** `[1]`: the learning rate of this step, see `stepSize`. */
  readonly stepSize: Tensor;
}

/** Adds one step of the optimizer. */
export function applyOptimizer(
  graph: GraphBuilder,
  optimizer: OptimizerSettings,
  step: OptimizerStep,
): { readonly weights: Tensor; readonly slots: readonly Tensor[] } {
  const { weights, gradient, stepSize } = step;
  if (optimizer.kind === 'adam') return applyAdam(graph, optimizer, step);
  const descent = graph.op('Neg', [stepSize]);
  const [velocity] = step.slots;
  if (typeof gradient !== 'string') {
    const { left, right } = gradient;
    const scaled = graph.op('Mul', [right, descent]);
    const addedTo = (tensor: Tensor, share: number) =>
      graph.op('Gemm', [left, scaled, tensor], { transA: 1, beta: { float: share } });
    if (velocity === undefined) return { weights: addedTo(weights, 1), slots: [] };
    const nextVelocity = addedTo(velocity, optimizer.momentum);
    return { weights: graph.op('Add', [weights, nextVelocity]), slots: [nextVelocity] };
  }
  const update = graph.op('Mul', [gradient, descent]);
  if (velocity === undefined) return { weights: graph.op('Add', [weights, update]), slots: [] };
  const kept = graph.op('Mul', [velocity, graph.scalar(optimizer.momentum)]);
  const nextVelocity = graph.op('Add', [kept, update]);
  return { weights: graph.op('Add', [weights, nextVelocity]), slots: [nextVelocity] };
}

function applyAdam(
  graph: GraphBuilder,
  { beta1, beta2, epsilon }: Extract<OptimizerSettings, { kind: 'adam' }>,
  { weights, gradient, slots: [mean = '', variance = ''], stepSize }: OptimizerStep,
) {
  const add = (a: Tensor, b: Tensor) => graph.op('Add', [a, b]);
  const subtract = (a: Tensor, b: Tensor) => graph.op('Sub', [a, b]);
  const multiply = (a: Tensor, b: Tensor) => graph.op('Mul', [a, b]);
  const slope = gradientTensor(graph, gradient);
  const nextMean = add(mean, multiply(subtract(slope, mean), graph.scalar(1 - beta1)));
  const squared = multiply(slope, slope);
  const nextVariance = add(variance, multiply(subtract(squared, variance), graph.scalar(1 - beta2)));
  const deviation = add(graph.op('Sqrt', [nextVariance]), graph.scalar(epsilon));
  const update = graph.op('Div', [multiply(nextMean, stepSize), deviation]);
  return { weights: subtract(weights, update), slots: [nextMean, nextVariance] };
}

/** The tensors of a proximal term. */
interface ProximalTerm {
  readonly weights: Tensor;
  /** The weights that training started from. */
  readonly anchor: Tensor;
  readonly gradient: Gradient;
  /** 1 where a weight is trained, else 0; undefined when all are. */
  readonly trainable: Tensor | undefined;
  /** μ */
  readonly strength: number;
}

/** The gradient with that of FedProx' term, μ (w - w₀) (Li et al. 2020, arXiv 1812.06127, eq. 2). */
export function addProximalTerm(
  graph: GraphBuilder,
  { weights, anchor, gradient, trainable, strength }: ProximalTerm,
): Tensor {
  const pull = graph.op('Mul', [graph.op('Sub', [weights, anchor]), graph.scalar(strength)]);
  const masked = trainable === undefined ? pull : graph.op('Mul', [pull, trainable]);
  return graph.op('Add', [gradientTensor(graph, gradient), masked]);
}

/** The gradient with a strategy's correction, e.g. SCAFFOLD's c − c_i. */
export function addCorrection(graph: GraphBuilder, gradient: Gradient, correction: Tensor): Tensor {
  return graph.op('Add', [gradientTensor(graph, gradient), correction]);
}

/** The step size of optimizer step `step` (from 1): for Adam with the bias correction of Kingma and Ba 2015, §2. */
export function stepSize(optimizer: OptimizerSettings, step: number): number {
  if (optimizer.kind === 'sgd') return optimizer.learningRate;
  return (optimizer.learningRate * Math.sqrt(1 - optimizer.beta2 ** step)) / (1 - optimizer.beta1 ** step);
}
