/** Optimizers as graph nodes over all parameters in one flat vector. */
import type { OptimizerSettings } from '../engine.js';
import type { GraphBuilder, Tensor } from './graph-builder.js';

/** Names of an optimizer's state vectors, each as long as all parameters together, starting at 0. */
export function optimizerSlots(optimizer: OptimizerSettings): readonly string[] {
  if (optimizer.kind === 'adam') return ['mean', 'variance'];
  return optimizer.momentum === 0 ? [] : ['velocity'];
}

/** The flat tensors of one optimizer step. */
export interface OptimizerStep {
  readonly weights: Tensor;
  readonly gradients: Tensor;
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
  const add = (a: Tensor, b: Tensor) => graph.op('Add', [a, b]);
  const subtract = (a: Tensor, b: Tensor) => graph.op('Sub', [a, b]);
  const multiply = (a: Tensor, b: Tensor) => graph.op('Mul', [a, b]);
  const { weights, gradients, stepSize } = step;
  if (optimizer.kind === 'adam') {
    const [mean = '', variance = ''] = step.slots;
    const nextMean = add(mean, multiply(subtract(gradients, mean), graph.scalar(1 - optimizer.beta1)));
    const squared = multiply(gradients, gradients);
    const nextVariance = add(
      variance,
      multiply(subtract(squared, variance), graph.scalar(1 - optimizer.beta2)),
    );
    const deviation = add(graph.op('Sqrt', [nextVariance]), graph.scalar(optimizer.epsilon));
    const update = graph.op('Div', [multiply(nextMean, stepSize), deviation]);
    return { weights: subtract(weights, update), slots: [nextMean, nextVariance] };
  }
  const update = multiply(gradients, stepSize);
  const [velocity] = step.slots;
  if (velocity === undefined) return { weights: subtract(weights, update), slots: [] };
  const nextVelocity = subtract(multiply(velocity, graph.scalar(optimizer.momentum)), update);
  return { weights: add(weights, nextVelocity), slots: [nextVelocity] };
}

/** The tensors of a proximal term. */
export interface ProximalTerm {
  readonly weights: Tensor;
  /** The flat weights that training started from. */
  readonly anchor: Tensor;
  readonly gradients: Tensor;
  /** 1 where a flat weight is trained, else 0; undefined when all are. */
  readonly trainable: Tensor | undefined;
  /** μ */
  readonly strength: number;
}

/** The gradients with that of FedProx' term, μ (w - w₀) (Li et al. 2020, arXiv 1812.06127, eq. 2). */
export function addProximalTerm(
  graph: GraphBuilder,
  { weights, anchor, gradients, trainable, strength }: ProximalTerm,
): Tensor {
  const pull = graph.op('Mul', [graph.op('Sub', [weights, anchor]), graph.scalar(strength)]);
  const masked = trainable === undefined ? pull : graph.op('Mul', [pull, trainable]);
  return graph.op('Add', [gradients, masked]);
}

/** The step size of optimizer step `step` (from 1): for Adam with the bias correction of Kingma and Ba 2015, §2. */
export function stepSize(optimizer: OptimizerSettings, step: number): number {
  if (optimizer.kind === 'sgd') return optimizer.learningRate;
  return (optimizer.learningRate * Math.sqrt(1 - optimizer.beta2 ** step)) / (1 - optimizer.beta1 ** step);
}
