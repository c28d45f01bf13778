/** Gradients of parameters: as tensors, or as products that nobody has to hold in memory. */
import type { GraphBuilder, Tensor } from './graph-builder.js';

/**
 * A tensor, or the product leftᵀ · right, left to the optimizer: it may be added up right
 * where the next weights are written, with no gradient in memory in between.
 */
export type Gradient = Tensor | GradientProduct;

/** `left` [n, rows], `right` [n, columns] */
interface GradientProduct {
  readonly left: Tensor;
  readonly right: Tensor;
}

/** The gradient as a tensor. */
export function gradientTensor(graph: GraphBuilder, gradient: Gradient): Tensor {
  if (typeof gradient === 'string') return gradient;
  return graph.op('Gemm', [gradient.left, gradient.right], { transA: 1 });
}
