/** Primitive operators that move elements: nodes and vector-Jacobian products. */
import type { Tensor } from '../graph/graph-builder.js';
import type { Value } from './value.js';

/** The value that comes of one by a step whose way back is known. */
const stepFrom = (
  input: Value,
  {
    tensor,
    shape,
    vjp,
  }: { readonly tensor: Tensor; readonly shape: readonly number[]; readonly vjp: (dy: Tensor) => Tensor },
): Value => ({ graph: input.graph, tensor, shape, origin: { inputs: [input], vjps: [vjp] } });

/** The same elements in another shape. */
export const reshape = (input: Value, shape: readonly number[]): Value =>
  stepFrom(input, {
    tensor: input.graph.reshape(input.tensor, ...shape),
    shape,
    vjp: (dy) => input.graph.reshape(dy, ...input.shape),
  });

/** The axes in another order: axis `order[i]` becomes axis i. */
export const transpose = (input: Value, order: readonly number[]): Value =>
  stepFrom(input, {
    tensor: input.graph.transpose(input.tensor, ...order),
    shape: order.map((axis) => input.shape[axis] as number),
    vjp: (dy) => input.graph.transpose(dy, ...order.map((_, axis) => order.indexOf(axis))),
  });

/** Zeros added before and after, or elements cut off where a number is below 0; one pair for each axis. */
export function pad(input: Value, margins: readonly (readonly [before: number, after: number])[]): Value {
  const { graph } = input;
  const padded = (tensor: Tensor, sign: 1 | -1) =>
    graph.op('Pad', [
      tensor,
      graph.integers(
        ...margins.map(([before]) => sign * before),
        ...margins.map(([, after]) => sign * after),
      ),
    ]);
  return stepFrom(input, {
    tensor: padded(input.tensor, 1),
    shape: input.shape.map((extent, at) => {
      const [before, after] = margins[at] as readonly [number, number];
      return before === 0 && after === 0 ? extent : extent + before + after;
    }),
    vjp: (dy) => padded(dy, -1),
  });
}

/** Repeats the only element of axes; `shape` has 1 for the others. */
export function expand(input: Value, shape: readonly number[]): Value {
  const { graph } = input;
  const repeated = shape.flatMap((extent, at) => (extent === 1 ? [] : [at]));
  // To sum over no axes would mean over all.
  if (repeated.length === 0) return input;
  return stepFrom(input, {
    tensor: graph.op('Expand', [input.tensor, graph.integers(...shape)]),
    shape: input.shape.map((extent, at) => (shape[at] === 1 ? extent : (shape[at] as number))),
    vjp: (dy) => graph.op('ReduceSum', [dy, graph.integers(...repeated)], { keepdims: 1 }),
  });
}
