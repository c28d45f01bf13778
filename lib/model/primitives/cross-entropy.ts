/** The cross-entropy of a softmax as one primitive: its own way back is shorter and exacter than that of its parts. */
import type { Tensor } from '../graph/graph-builder.js';
import type { Value } from './value.js';

/** What the cross-entropy is taken of. */
interface CrossEntropyTerms {
  /** `[batch, classes]` */
  readonly logits: Value;
  /** The probability that each class should have, `[batch, classes]`; each row sums to 1. */
  readonly expected: Tensor;
  /** How much each example counts: `[1]`, or `[batch, 1]`. */
  readonly weights: Value;
}

/** The sum of the examples' cross-entropies, each times its weight; a scalar. The gradient is that of the logits alone. */
export function softmaxCrossEntropy({ logits, expected, weights }: CrossEntropyTerms): Value {
  const { graph } = logits;
  // In operators that WebGPU has, too: LogSoftmax would run on the processor.
  const rows = graph.integers(-1);
  const largest = graph.op('ReduceMax', [logits.tensor, rows], { keepdims: 1 });
  const shifted = graph.op('Sub', [logits.tensor, largest]);
  const sum = graph.op('ReduceSum', [graph.op('Exp', [shifted]), rows], { keepdims: 1 });
  const logProbabilities = graph.op('Sub', [shifted, graph.op('Log', [sum])]);
  const likelihoods = graph.op('Mul', [expected, logProbabilities]);
  const isWeighted = weights.shape.length > 1;
  const likelihood = isWeighted
    ? graph.sum(graph.op('Mul', [likelihoods, weights.tensor]), 0, 1)
    : graph.op('Mul', [graph.sum(likelihoods, 0, 1), graph.reshape(weights.tensor)]);
  return {
    graph,
    tensor: graph.op('Neg', [likelihood]),
    shape: [],
    origin: {
      inputs: [logits],
      vjps: [
        (dy) => {
          const difference = graph.op('Sub', [graph.op('Exp', [logProbabilities]), expected]);
          return graph.op('Mul', [difference, graph.op('Mul', [weights.tensor, dy])]);
        },
      ],
    },
  };
}
