/** What a layer adds to a graph: its forward nodes, and the way back for gradients. */
import type { GraphBuilder, Tensor } from './graph-builder.js';

/**
 * A tensor between layers with its shape without the batch axis: `[c, h, w]` for images (ONNX convolutions are
 * channels-first; Keras' channels-last order is restored by Flatten), `[features]` else.
 */
export interface LayerValue {
  readonly tensor: Tensor;
  readonly shape: readonly number[];
  /** The channels lie in blocks (see `blocked-layout.ts`); so does the gradient. */
  readonly blocked?: boolean;
  /** Nothing is below 0: the relu that follows is done already. */
  readonly rectified?: boolean;
}

/** A layer applied to its input. */
export interface AppliedLayer {
  readonly output: LayerValue;
  /**
   * Adds the nodes that turn the loss gradient at the output into that at the input, and reports the gradients of
   * the layer's own parameters. Returns undefined when `needsInputGradient` is false.
   */
  backward(outputGradient: Tensor, needsInputGradient: boolean): Tensor | undefined;
}

/** What layers draw from while they build. Parameters and gradients are in Keras' layout. */
export interface LayerContext {
  readonly graph: GraphBuilder;
  /** False for prediction: dropout does nothing, batch normalisation uses its moving statistics. */
  readonly training: boolean;
  /** Tells apart the random numbers of a network's layers. */
  readonly salt: number;
  /** Examples of every batch, where it is the same number. */
  readonly batchSize: number | undefined;
  /** Channels of a block, where images may be blocked. */
  readonly blockSize: number | undefined;
  /** The backend has no MaxPool that tells where its maxima lie. */
  readonly withoutPoolIndices: boolean;
  /** A relu comes next, or right behind a max pool. */
  readonly followedByRelu: boolean;
  /** The current value of a parameter of the layer under construction, e.g. `kernel`. */
  parameter(role: string): Tensor;
  /** Reports a parameter's gradient; a tensor may have any shape with the parameter's elements in order. */
  gradient(role: string, gradient: Gradient): void;
  /** Gives a batch statistic out of the graph; the session folds it into the moving one. */
  batchStatistic(role: string, tensor: Tensor): void;
  /** One random word per example and step, `[n]` uint32: where dropout masks come from. */
  readonly rowSeeds: () => Tensor;
}

/** What a layer on blocked images is built with. */
export interface Blocking {
  readonly context: LayerContext;
  /** Channels of a block. */
  readonly blockSize: number;
}

/**
 * A tensor, or the product leftᵀ · right, left to the optimizer: it may be added up right where the next weights are
 * written, with no gradient in memory in between.
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
