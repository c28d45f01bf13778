/** Primitive operators that make one number of many: nodes and vector-Jacobian products. */
import { sizeOf } from '../../core/weights.js';
import type { Value } from './value.js';

/** Whether reduced axes stay, with one element. */
interface ReductionOptions {
  readonly axes: readonly number[];
  readonly keepAxes: boolean;
}

/** The sum over axes; the batch axis may be one of them. */
export function reduceSum(input: Value, { axes, keepAxes }: ReductionOptions): Value {
  const { graph, shape, tensor: x } = input;
  return {
    graph,
    tensor: graph.op('ReduceSum', [x, graph.integers(...axes)], { keepdims: keepAxes ? 1 : 0 }),
    shape: reducedShape(shape, { axes, keepAxes }),
    origin: {
      inputs: [input],
      vjps: [
        (dy) => {
          const kept = keepAxes ? dy : graph.reshape(dy, ...reducedShape(shape, { axes, keepAxes: true }));
          return graph.op('Expand', [kept, graph.op('Shape', [x])]);
        },
      ],
    },
  };
}

/** The mean over axes; the batch axis is none of them. */
export function reduceMean(input: Value, { axes, keepAxes }: ReductionOptions): Value {
  const { graph, shape } = input;
  const window = shape.map((extent, at) => (axes.includes(at) ? extent : 1));
  const count = sizeOf(window);
  return {
    graph,
    tensor: graph.op('ReduceMean', [input.tensor, graph.integers(...axes)], { keepdims: keepAxes ? 1 : 0 }),
    shape: reducedShape(shape, { axes, keepAxes }),
    origin: {
      inputs: [input],
      vjps: [
        (dy) => {
          const kept = keepAxes ? dy : graph.reshape(dy, ...reducedShape(shape, { axes, keepAxes: true }));
          return graph.op('Mul', [kept, graph.constant(new Float32Array(count).fill(1 / count), window)]);
        },
      ],
    },
  };
}

/** The largest over axes; where several are, each has the same share of the gradient. */
export function reduceMax(input: Value, { axes, keepAxes }: ReductionOptions): Value {
  const { graph, shape, tensor: x } = input;
  const over = graph.integers(...axes);
  const one = reducedShape(shape, { axes, keepAxes: true });
  const y = graph.op('ReduceMax', [x, over], { keepdims: keepAxes ? 1 : 0 });
  return {
    graph,
    tensor: y,
    shape: reducedShape(shape, { axes, keepAxes }),
    origin: {
      inputs: [input],
      vjps: [
        (dy) => {
          const [largest, gradient] = keepAxes
            ? [y, dy]
            : [graph.reshape(y, ...one), graph.reshape(dy, ...one)];
          const isLargest = graph.op('Cast', [graph.op('Equal', [x, largest])], { to: 1 });
          const count = graph.op('ReduceSum', [isLargest, over], { keepdims: 1 });
          return graph.op('Mul', [graph.op('Div', [gradient, count]), isLargest]);
        },
      ],
    },
  };
}

const reducedShape = (shape: readonly number[], { axes, keepAxes }: ReductionOptions): readonly number[] =>
  shape.flatMap((extent, at) => (!axes.includes(at) ? [extent] : keepAxes ? [1] : []));
