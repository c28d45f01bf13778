/** Primitive operators that make one number of many: nodes and vector-Jacobian products. */
import { sizeOf } from '../../core/weights.js';
import type { Tensor } from '../graph/graph-builder.js';
import { axesOf, extentsOf, laidOut, unblocked } from './layout.js';
import type { Value } from './value.js';

/** Whether reduced axes stay, with one element. */
interface ReductionOptions {
  readonly axes: readonly number[];
  readonly keepAxes: boolean;
}

/** The sum over axes. */
export function reduceSum(value: Value, options: ReductionOptions): Value {
  const { input, over, kept, ...reduced } = reduction(value, options);
  const { graph, tensor: x } = input;
  return {
    graph,
    tensor: graph.op('ReduceSum', [x, graph.integers(...over)], { keepdims: options.keepAxes ? 1 : 0 }),
    ...reduced,
    origin: {
      inputs: [input],
      vjps: [(dy) => graph.op('Expand', [kept(dy), graph.op('Shape', [x])])],
    },
  };
}

/** The mean over axes, the batch not among them. */
export function reduceMean(value: Value, options: ReductionOptions): Value {
  const { input, over, kept, ...reduced } = reduction(value, options);
  const { graph } = input;
  const window = extentsOf(input).map((extent, at) => (over.includes(at) ? extent : 1));
  const count = sizeOf(window);
  return {
    graph,
    tensor: graph.op('ReduceMean', [input.tensor, graph.integers(...over)], {
      keepdims: options.keepAxes ? 1 : 0,
    }),
    ...reduced,
    origin: {
      inputs: [input],
      vjps: [
        (dy) => graph.op('Mul', [kept(dy), graph.constant(new Float32Array(count).fill(1 / count), window)]),
      ],
    },
  };
}

/** The largest over axes; where several are, each has the same share of the gradient. */
export function reduceMax(value: Value, options: ReductionOptions): Value {
  const { input, over, kept, ...reduced } = reduction(value, options);
  const { graph, tensor: x } = input;
  const axes = graph.integers(...over);
  const y = graph.op('ReduceMax', [x, axes], { keepdims: options.keepAxes ? 1 : 0 });
  return {
    graph,
    tensor: y,
    ...reduced,
    origin: {
      inputs: [input],
      vjps: [
        (dy) => {
          const isLargest = graph.op('Cast', [graph.op('Equal', [x, kept(y)])], { to: 1 });
          const count = graph.op('ReduceSum', [isLargest, axes], { keepdims: 1 });
          return graph.op('Mul', [graph.op('Div', [kept(dy), count]), isLargest]);
        },
      ],
    },
  };
}

/** Moved and scaled to mean 0 and variance 1 over axes; their mean and variance have one element in each of these. */
export function standardize(
  value: Value,
  { axes, epsilon }: { readonly axes: readonly number[]; readonly epsilon: number },
): { readonly standardized: Value; readonly mean: Tensor; readonly variance: Tensor } {
  const input = unblocked(value);
  const { graph, shape, layout } = input;
  const over = graph.integers(...placesOf(input, axes));
  const mean = (tensor: Tensor) => graph.op('ReduceMean', [tensor, over], { keepdims: 1 });
  const multiply = (a: Tensor, b: Tensor) => graph.op('Mul', [a, b]);
  const center = mean(input.tensor);
  const centered = graph.op('Sub', [input.tensor, center]);
  const variance = mean(multiply(centered, centered));
  // One division for each mean instead of one for each element.
  const deviation = graph.op('Sqrt', [graph.op('Add', [variance, graph.scalar(epsilon)])]);
  const scale = graph.op('Reciprocal', [deviation]);
  const y = multiply(centered, scale);
  const vjp = (dy: Tensor) => {
    const projection = multiply(y, mean(multiply(dy, y)));
    return multiply(graph.op('Sub', [graph.op('Sub', [dy, mean(dy)]), projection]), scale);
  };
  const standardized = { graph, tensor: y, shape, layout, origin: { inputs: [input], vjps: [vjp] } };
  return { standardized, mean: center, variance };
}

/** Where axes that are counted in Keras' order are declared in a value's tensor, in order. */
const placesOf = (value: Value, axes: readonly number[]): readonly number[] =>
  axes.map((axis) => axesOf(value)[axis] as number).sort((a, b) => a - b);

/** A value as it can be reduced, the axes of its tensor, and what comes out. */
function reduction(value: Value, { axes, keepAxes }: ReductionOptions) {
  const given = unblocked(value);
  const isSpared = axesOf(given).filter((_, axis) => !axes.includes(axis));
  // Where axes are dropped, those that stay have to be in Keras' order.
  const isInOrder = isSpared.every((place, at) => at === 0 || place > (isSpared[at - 1] as number));
  const input = keepAxes || isInOrder ? given : laidOut(value);
  const one = input.shape.map((extent, at) => (axes.includes(at) ? 1 : extent));
  const layout = keepAxes ? input.layout : undefined;
  const whole = extentsOf({ shape: one, layout: input.layout });
  return {
    input,
    over: placesOf(input, axes),
    shape: keepAxes ? one : input.shape.filter((_, at) => !axes.includes(at)),
    layout,
    /** A tensor like the output, with the reduced axes. */
    kept: (tensor: Tensor) => (keepAxes ? tensor : input.graph.reshape(tensor, ...whole)),
  };
}
