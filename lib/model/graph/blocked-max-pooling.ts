/** MaxPooling2D on blocked images that tiles its input. */
import type { GraphBuilder, Tensor } from './graph-builder.js';
import type { AppliedLayer, Blocking, LayerValue } from './layer-graph.js';
import { firstLargestShares, type Pool } from './max-pool-gradient.js';

/** Whether blocks come in, and the windows tile the image: no overlap, nothing left over. */
export function canBlockMaxPooling({ pool, strides }: Pool, { shape, blocked }: LayerValue): boolean {
  const [, height = 0, width = 0] = shape;
  const tiles = strides[0] === pool[0] && strides[1] === pool[1];
  return blocked === true && tiles && height % pool[0] === 0 && width % pool[1] === 0;
}

/** Largest value of each window; its gradient goes to the first largest, found again by comparing. */
export function applyBlockedMaxPooling(
  layer: Pool,
  input: LayerValue,
  { context, blockSize }: Blocking,
): AppliedLayer {
  const { graph } = context;
  const [channels = 0, height = 0, width = 0] = input.shape;
  const [rows, columns] = [height / layer.pool[0], width / layer.pool[1]];
  const tensor = graph.blockedOp('MaxPool', [input.tensor], {
    kernel_shape: layer.pool,
    strides: layer.strides,
  });
  return {
    output: { ...input, tensor, shape: [channels, rows, columns] },
    backward(dy) {
      const tiles = (each: Tensor, pool: readonly [number, number]) =>
        graph.reshape(each, -1, pool[0], columns, pool[1], blockSize);
      const gradient = tileGradient(graph, layer, {
        x: tiles(input.tensor, layer.pool),
        y: tiles(tensor, [1, 1]),
        dy: tiles(dy, [1, 1]),
      });
      return graph.reshape(gradient, -1, channels, height, width);
    },
  };
}

/** Tensors seen as `[n · c/b · rows, pool height, columns, pool width, b]`. */
interface TiledTensors {
  readonly x: Tensor;
  readonly y: Tensor;
  readonly dy: Tensor;
}

/** Goes through the places of a window in order; the first that holds the largest value takes the gradient. */
function tileGradient(graph: GraphBuilder, { pool }: Pool, { x, y, dy }: TiledTensors): Tensor {
  const shares = firstLargestShares(graph, {
    pool,
    place: (row, column) =>
      graph.op('Slice', [
        x,
        graph.integers(row, column),
        graph.integers(row + 1, column + 1),
        graph.integers(1, 3),
      ]),
    largest: y,
    gradient: dy,
  });
  const rows = shares.map((places) => graph.op('Concat', places, { axis: 3 }));
  return graph.op('Concat', rows, { axis: 1 });
}
