/** The gradient of a max pool without indices: found again by comparing the places of a window with its maximum. */

import type { GraphBuilder, Tensor } from './graph-builder.js';
import type { Extent, WindowGeometry } from './window-geometry.js';

/** A window that moves over an image. */
export interface Pool {
  readonly pool: Extent;
  readonly strides: Extent;
}

/** Operands of one pool; all tensors have one shape, an element per window. */
interface PooledWindows {
  readonly pool: Extent;
  /** What lies at one place (row, column) of every window. */
  readonly place: (row: number, column: number) => Tensor;
  /** The largest of every window. */
  readonly largest: Tensor;
  /** The gradient at every window's output. */
  readonly gradient: Tensor;
}

/**
 * Each place's share of the gradient, by row and column: all of it where a place is the first, row by row, that holds
 * the largest value, else 0.
 */
export function firstLargestShares(
  graph: GraphBuilder,
  { pool: [height, width], place, largest, gradient }: PooledWindows,
): readonly (readonly Tensor[])[] {
  let rest = gradient;
  return Array.from({ length: height }, (_row, row) =>
    Array.from({ length: width }, (_column, column) => {
      if (row === height - 1 && column === width - 1) return rest;
      const isLargest = graph.op('Cast', [graph.op('Equal', [place(row, column), largest])], { to: 1 });
      const share = graph.op('Mul', [rest, isLargest]);
      rest = graph.op('Sub', [rest, share]);
      return share;
    }),
  );
}

/** The tensors and sizes of a max pool over `[n, c, h, w]`. */
interface MaxPoolTensors {
  readonly x: Tensor;
  readonly largest: Tensor;
  readonly gradient: Tensor;
  /** `[c, h, w]` */
  readonly shape: readonly number[];
  readonly geometry: WindowGeometry;
}

/** Padding never wins: the lowest finite float, since shaders know no infinity. */
const LOWEST = -3.4028234663852886e38;

/** The gradient at the input, for windows that may overlap, leave gaps, or reach into padding. */
export function maxPoolGradient(
  graph: GraphBuilder,
  layer: Pool,
  { x, largest, gradient, shape, geometry }: MaxPoolTensors,
): Tensor {
  const { pool, strides } = layer;
  const { output, padBefore, padAfter } = geometry;
  const padded = pad(graph, x, { before: [0, 0, ...padBefore], after: [0, 0, ...padAfter], value: LOWEST });
  const shares = firstLargestShares(graph, {
    pool,
    place: (row, column) =>
      graph.op('Slice', [
        padded,
        graph.integers(row, column),
        graph.integers(row + (output[0] - 1) * strides[0] + 1, column + (output[1] - 1) * strides[1] + 1),
        graph.integers(2, 3),
        graph.integers(...strides),
      ]),
    largest,
    gradient,
  });
  const image = spread(graph, layer, { shares, output, channels: shape[0] ?? 0 });
  return crop(graph, image, { layer, shape, geometry });
}

/** The cells of stride size that windows reach over: `extra` more than there are windows. */
function cells({ pool, strides }: Pool, output: Extent): Extent {
  const along = (axis: 0 | 1) => output[axis] + Math.floor((pool[axis] - 1) / strides[axis]);
  return [along(0), along(1)];
}

/**
 * Puts the share of place (i, j) of window (p, q) at pixel (p · stride + i, q · stride + j), adding up where windows
 * overlap. Seen as cells of stride size, place i lies in cell p + ⌊i / stride⌋ at i mod stride: so shares that agree
 * there are shifted by whole cells and added, and the sums interleaved.
 *
 * @returns `[n, c, …]` over whole cells
 */
function spread(
  graph: GraphBuilder,
  layer: Pool,
  {
    shares,
    output,
    channels,
  }: {
    readonly shares: readonly (readonly Tensor[])[];
    readonly output: Extent;
    readonly channels: number;
  },
): Tensor {
  const { pool, strides } = layer;
  const [rows, columns] = cells(layer, output);
  const shifted = (row: number, column: number) => {
    const [down, right] = [Math.floor(row / strides[0]), Math.floor(column / strides[1])];
    return pad(graph, shares[row]?.[column] as Tensor, {
      before: [0, 0, down, right],
      after: [0, 0, rows - output[0] - down, columns - output[1] - right],
      value: 0,
    });
  };
  const used: Extent = [Math.min(pool[0], strides[0]), Math.min(pool[1], strides[1])];
  const lines = range(0, used[0], 1).map((row) => {
    const places = range(0, used[1], 1).map((column) => {
      const terms = range(row, pool[0], strides[0]).flatMap((i) =>
        range(column, pool[1], strides[1]).map((j) => shifted(i, j)),
      );
      const sum = terms.reduce((total, term) => graph.op('Add', [total, term]));
      return graph.reshape(sum, -1, rows, 1, columns, 1);
    });
    return places.length === 1 ? (places[0] as Tensor) : graph.op('Concat', places, { axis: 4 });
  });
  const interleaved = lines.length === 1 ? (lines[0] as Tensor) : graph.op('Concat', lines, { axis: 2 });
  const whole = pad(graph, interleaved, {
    before: [0, 0, 0, 0, 0],
    after: [0, 0, strides[0] - used[0], 0, strides[1] - used[1]],
    value: 0,
  });
  return graph.reshape(whole, -1, channels, rows * strides[0], columns * strides[1]);
}

/** Cuts the padding off and puts back what no window covers. */
function crop(
  graph: GraphBuilder,
  image: Tensor,
  { layer, shape, geometry }: Pick<MaxPoolTensors, 'shape' | 'geometry'> & { readonly layer: Pool },
): Tensor {
  const [, height = 0, width = 0] = shape;
  const { output, padBefore, uncovered } = geometry;
  const [top, left] = padBefore;
  const [rows, columns] = cells(layer, output);
  if (rows * layer.strides[0] === height && columns * layer.strides[1] === width) return image;
  const rest = pad(graph, image, { before: [0, 0, 0, 0], after: [0, 0, ...uncovered], value: 0 });
  return graph.op('Slice', [
    rest,
    graph.integers(top, left),
    graph.integers(top + height, left + width),
    graph.integers(2, 3),
  ]);
}

function pad(
  graph: GraphBuilder,
  tensor: Tensor,
  {
    before,
    after,
    value,
  }: { readonly before: readonly number[]; readonly after: readonly number[]; readonly value: number },
): Tensor {
  const pads = [...before, ...after];
  if (pads.every((each) => each === 0)) return tensor;
  return graph.op('Pad', [tensor, graph.integers(...pads), graph.scalar(value)]);
}

const range = (from: number, end: number, step: number): readonly number[] =>
  Array.from({ length: Math.max(0, Math.ceil((end - from) / step)) }, (_, index) => from + index * step);
