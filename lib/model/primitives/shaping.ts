/** Primitive operators that move elements: nodes and vector-Jacobian products. */
import type { Tensor } from '../graph/graph-builder.js';
import { axesOf, laidOut, unblocked } from './layout.js';
import type { Parts, Value } from './value.js';

/** The value that comes of one by a step whose way back is known. */
const stepFrom = (
  input: Value,
  { vjp, ...made }: Pick<Value, 'tensor' | 'shape' | 'layout'> & { readonly vjp: (dy: Tensor) => Tensor },
): Value => ({ graph: input.graph, ...made, origin: { inputs: [input], vjps: [vjp] } });

/** The same elements, in Keras' order, in another shape. */
export function reshape(value: Value, shape: readonly number[]): Value {
  const input = laidOut(value);
  const { graph } = input;
  return stepFrom(input, {
    tensor: graph.reshape(input.tensor, ...shape),
    shape,
    vjp: (dy) => graph.reshape(dy, ...input.shape),
  });
}

/** The axes in another order: axis `order[i]` becomes axis i. */
export function transpose(value: Value, order: readonly number[]): Value {
  const input = laidOut(value);
  const { graph } = input;
  return stepFrom(input, {
    tensor: graph.transpose(input.tensor, ...order),
    shape: order.map((axis) => input.shape[axis] as number),
    vjp: (dy) => graph.transpose(dy, ...order.map((_, axis) => order.indexOf(axis))),
  });
}

/** Zeros added before and after, or elements cut off where a number is below 0; one pair for each axis. */
export function pad(value: Value, margins: readonly (readonly [before: number, after: number])[]): Value {
  const input = unblocked(value);
  const { graph, layout } = input;
  const placed = shapeOrder(input, margins);
  const padded = (tensor: Tensor, sign: 1 | -1) =>
    graph.op('Pad', [
      tensor,
      graph.integers(...placed.map(([before]) => sign * before), ...placed.map(([, after]) => sign * after)),
    ]);
  return stepFrom(input, {
    tensor: padded(input.tensor, 1),
    layout,
    shape: input.shape.map((extent, at) => {
      const [before, after] = margins[at] as readonly [number, number];
      return before === 0 && after === 0 ? extent : extent + before + after;
    }),
    vjp: (dy) => padded(dy, -1),
  });
}

/** What there is of each axis of a value, counted in Keras' order, in the order of its tensor. */
function shapeOrder<T>(value: Value, each: readonly T[]): readonly T[] {
  const axes = axesOf(value);
  return axes.map((_, at) => each[axes.indexOf(at)] as T);
}

/** Repeats the only element of axes; `shape` has 1 for the others. */
export function expand(value: Value, shape: readonly number[]): Value {
  const input = laidOut(value);
  const { graph } = input;
  const repeated = shape.flatMap((extent, at) => (extent === 1 ? [] : [at]));
  // To sum over no axes would mean over all.
  if (repeated.length === 0) return value;
  return stepFrom(input, {
    tensor: graph.op('Expand', [input.tensor, graph.integers(...shape)]),
    shape: input.shape.map((extent, at) => (shape[at] === 1 ? extent : (shape[at] as number))),
    vjp: (dy) => graph.op('ReduceSum', [dy, graph.integers(...repeated)], { keepdims: 1 }),
  });
}

/** An axis from its end to its start. */
export function reverse(value: Value, axis: number): Value {
  const input = laidOut(value);
  const { graph, shape } = input;
  const reversed = (tensor: Tensor) =>
    graph.op('Slice', [
      tensor,
      graph.integers(-1),
      graph.integers(-(2 ** 31)),
      graph.integers(axis),
      graph.integers(-1),
    ]);
  return stepFrom(input, { tensor: reversed(input.tensor), shape, vjp: reversed });
}

/** The part of an axis from `start` on. */
export function slice(
  value: Value,
  { axis, start, length }: { readonly axis: number; readonly start: number; readonly length: number },
): Value {
  const input = laidOut(value);
  const { graph, shape } = input;
  const extent = shape[axis] as number;
  if (length === extent) return value;
  const pads = [start, extent - start - length].flatMap((count) =>
    shape.map((_, at) => (at === axis ? count : 0)),
  );
  return stepFrom(input, {
    tensor: graph.op('Slice', [
      input.tensor,
      graph.integers(start),
      graph.integers(start + length),
      graph.integers(axis),
    ]),
    shape: shape.map((each, at) => (at === axis ? length : each)),
    vjp: (dy) => graph.op('Pad', [dy, graph.integers(...pads)]),
  });
}

/** Equal parts of an axis, in order. */
export function equalParts(
  value: Value,
  { axis, parts: count }: { readonly axis: number; readonly parts: number },
): readonly Value[] {
  const input = laidOut(value);
  const { graph } = input;
  const length = (input.shape[axis] as number) / count;
  const shape = input.shape.map((each, at) => (at === axis ? length : each));
  const tensors = graph.opWithOutputs('Split', {
    inputs: [input.tensor],
    attributes: { axis, num_outputs: count },
    outputs: count,
  });
  const zerosLike = (tensor: Tensor) => graph.op('ConstantOfShape', [graph.op('Shape', [tensor])]);
  const parts: Parts = {
    count,
    vjp: (dys) =>
      graph.op(
        'Concat',
        dys.map((dy, at) => dy ?? zerosLike(tensors[at] as Tensor)),
        { axis },
      ),
  };
  return tensors.map((tensor, at) => ({
    graph,
    tensor,
    shape,
    origin: { inputs: [input], vjps: [], part: { of: parts, at } },
  }));
}

/** Values one after the other along an axis. */
export function concat(values: readonly Value[], axis: number): Value {
  const isFirst = values.some(({ layout }) => layout !== undefined);
  const inputs = values.map((each) => laidOut(each, isFirst ? 'channels-first' : undefined));
  const first = inputs[0] as Value;
  const { graph, layout } = first;
  const place = { axis: axesOf(first)[axis] as number };
  const lengths = inputs.map(({ shape }) => shape[axis] as number);
  let split: { readonly dy: Tensor; readonly parts: readonly Tensor[] } | undefined;
  const partsOf = (dy: Tensor) => {
    if (split?.dy !== dy) {
      const parts = graph.opWithOutputs('Split', {
        inputs: [dy, graph.integers(...lengths)],
        attributes: place,
        outputs: inputs.length,
      });
      split = { dy, parts };
    }
    return split.parts;
  };
  return {
    graph,
    tensor: graph.op(
      'Concat',
      inputs.map(({ tensor }) => tensor),
      place,
    ),
    shape: first.shape.map((each, at) =>
      at === axis ? lengths.reduce((sum, length) => sum + length, 0) : each,
    ),
    layout,
    origin: { inputs, vjps: inputs.map((_, at) => (dy) => partsOf(dy)[at] as Tensor) },
  };
}

/** `a` where a condition holds, else `b`; all of one shape but that the condition may be repeated. */
export const where = (condition: Tensor, a: Value, b: Value): Value => {
  const { graph, shape } = a;
  const zero = graph.scalar(0);
  return {
    graph,
    tensor: graph.op('Where', [condition, a.tensor, b.tensor]),
    shape,
    origin: {
      inputs: [a, b],
      vjps: [
        (dy) => graph.op('Where', [condition, dy, zero]),
        (dy) => graph.op('Where', [condition, zero, dy]),
      ],
    },
  };
};
