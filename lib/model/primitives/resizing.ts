/** Linear interpolation between the pixels of images as a primitive operator. */
import type { GraphBuilder, Tensor } from '../graph/graph-builder.js';
import type { Extent } from '../graph/window-geometry.js';
import { channelsFirst, fromChannelsFirst } from './layout.js';
import type { Value } from './value.js';

/**
 * Images `[n, h, w, c]` so many times as tall and as wide, bilinear, as TensorFlow does: pixels are squares, and behind
 * the centre of the outermost ones nothing changes. Each direction is a product with a matrix, and so is its way back:
 * ONNX Runtime's own Resize has none.
 */
export function resizeBilinear(image: Value, [tall, wide]: Extent): Value {
  return fromChannelsFirst(stretch(stretch(channelsFirst(image), 2, tall), 3, wide));
}

/** Images `[n, c, h, w]` stretched along one axis of them, 2 or 3. */
function stretch(input: Value, axis: 2 | 3, times: number): Value {
  const { graph, shape } = input;
  const extent = shape[axis] as number;
  if (times === 1) return input;
  const weights = interpolation(extent, times);
  const along = (tensor: Tensor, isBack: boolean) => {
    const isTransposed = (axis === 3) !== isBack;
    const matrix = matrixOf(graph, weights, isTransposed);
    return graph.op('MatMul', axis === 2 ? [matrix, tensor] : [tensor, matrix]);
  };
  return {
    graph,
    tensor: along(input.tensor, false),
    shape: shape.map((each, at) => (at === axis ? each * times : each)),
    origin: { inputs: [input], vjps: [(dy) => along(dy, true)] },
  };
}

/** What each new pixel has of each old one: `[extent · times][extent]`. */
function interpolation(extent: number, times: number): readonly (readonly number[])[] {
  return Array.from({ length: extent * times }, (_, at) => {
    const place = Math.min(Math.max((at + 0.5) / times - 0.5, 0), extent - 1);
    return Array.from({ length: extent }, (_, pixel) => Math.max(0, 1 - Math.abs(place - pixel)));
  });
}

function matrixOf(graph: GraphBuilder, rows: readonly (readonly number[])[], isTransposed: boolean): Tensor {
  const columns = (rows[0] ?? []).map((_, column) => rows.map((row) => row[column] as number));
  const taken = isTransposed ? columns : rows;
  return graph.constant(Float32Array.from(taken.flat()), [taken.length, taken[0]?.length ?? 0]);
}
