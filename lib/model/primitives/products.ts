/** Primitive operators that multiply matrices: nodes and vector-Jacobian products. */
import type { GraphBuilder, Tensor } from '../graph/graph-builder.js';
import { laidOut } from './layout.js';
import type { Value, Vjp } from './value.js';

/** `matrix` [rows, k] times each element [k, n] of `sequence` [t, k, n]. */
export function multiplyEach(matrix: Value, sequence: Value): Value {
  const { graph } = matrix;
  const [rows = 0] = matrix.shape;
  const [steps = 0, , columns = 0] = sequence.shape;
  return {
    graph,
    tensor: graph.op('MatMul', [matrix.tensor, sequence.tensor]),
    shape: [steps, rows, columns],
    origin: {
      inputs: [matrix, sequence],
      vjps: [
        (dy) => sumOfProducts(graph, dy, sequence.tensor),
        (dy) => graph.op('MatMul', [graph.transpose(matrix.tensor, 1, 0), dy]),
      ],
    },
  };
}

/** Σₜ left[t] · right[t]ᵀ of `left` [t, m, n] and `right` [t, k, n]: one product of large matrices. */
export function sumOfProducts(graph: GraphBuilder, left: Tensor, right: Tensor): Tensor {
  const [rows, columns] = [left, right].map((each) =>
    graph.op('Flatten', [graph.transpose(each, 1, 0, 2)], { axis: 1 }),
  );
  return graph.op('Gemm', [rows as Tensor, columns as Tensor], { transB: 1 });
}

/** Batches of matrices: [..., m, k] times [..., k, n], with the same axes before the last two. */
export function multiply(first: Value, second: Value): Value {
  const [left, right] = [laidOut(first), laidOut(second)];
  const { graph } = left;
  const order = left.shape.map((_, at) => at);
  const last = order.length - 1;
  const flipped = (tensor: Tensor) => graph.transpose(tensor, ...order.slice(0, -2), last, last - 1);
  return {
    graph,
    tensor: graph.op('MatMul', [left.tensor, right.tensor]),
    shape: [...left.shape.slice(0, -1), right.shape.at(-1) as number],
    origin: {
      inputs: [left, right],
      vjps: [
        (dy) => graph.op('MatMul', [dy, flipped(right.tensor)]),
        (dy) => graph.op('MatMul', [flipped(left.tensor), dy]),
      ],
    },
  };
}

/** Rows `[…, k]` times a matrix [k, m], and a bias [m]. The matrix' gradient is a product that nobody has to hold in memory. */
export function multiplyRows(value: Value, matrix: Value, bias?: Value): Value {
  const rows = laidOut(value);
  const { graph } = rows;
  const [k = 0, m = 0] = matrix.shape;
  const isMatrix = rows.shape.length === 2;
  const flat = (tensor: Tensor, width: number) => (isMatrix ? tensor : graph.reshape(tensor, -1, width));
  const shape = [...rows.shape.slice(0, -1), m];
  const left = flat(rows.tensor, k);
  const biases = bias === undefined ? [] : [bias];
  const y = graph.op('Gemm', [left, matrix.tensor, ...biases.map(({ tensor }) => tensor)]);
  const ofRows = (dy: Tensor) => {
    const dx = graph.op('Gemm', [flat(dy, m), matrix.tensor], { transB: 1 });
    return isMatrix ? dx : graph.reshape(dx, ...rows.shape);
  };
  return {
    graph,
    tensor: isMatrix ? y : graph.reshape(y, ...shape),
    shape,
    origin: {
      inputs: [...biases, matrix, rows],
      vjps: [
        ...biases.map(() => (dy: Tensor) => graph.sum(flat(dy, m), 0)),
        (dy) => ({ left, right: flat(dy, m) }),
        ofRows,
      ],
    },
  };
}

/** Largest table whose gradient is a product with a matrix of zeros and ones: small ones add up faster so. */
const MAX_ONE_HOT = 256;

/** The rows of `table` [rows, m] at whole numbers `[…]`: `[…, m]`. */
export function gatherRows(table: Value, numbers: Value): Value {
  const { graph } = table;
  const [rows = 0, m = 0] = table.shape;
  const places = graph.op('Cast', [laidOut(numbers).tensor], { to: 6 });
  const vjp: Vjp = (dy) => {
    const flat = graph.reshape(dy, -1, m);
    const column = graph.reshape(places, -1, 1);
    if (rows <= MAX_ONE_HOT) {
      const all = graph.constant(
        Int32Array.from({ length: rows }, (_, row) => row),
        [1, rows],
      );
      return { left: graph.op('Cast', [graph.op('Equal', [column, all])], { to: 1 }), right: flat };
    }
    const zeros = graph.op('ConstantOfShape', [graph.integers(rows, m)]);
    const each = graph.op('Expand', [column, graph.integers(1, m)]);
    return graph.op('ScatterElements', [zeros, each, flat], { axis: 0, reduction: 'add' });
  };
  return {
    graph,
    tensor: graph.op('Gather', [table.tensor, places], { axis: 0 }),
    shape: [...numbers.shape, m],
    origin: { inputs: [table], vjps: [vjp] },
  };
}
