/** Pools as primitive operators, in the formulation that is fastest for their shape. */

import type { GraphBuilder, Tensor } from '../graph/graph-builder.js';
import { firstLargestShares, maxPoolGradient, type Pool } from '../graph/max-pool-gradient.js';
import {
  type Extent,
  onnxPads,
  type WindowGeometry,
  type WindowSettings,
  windowGeometry,
} from '../graph/window-geometry.js';
import { channelsFirst } from './layout.js';
import { BATCH_AXIS, type Value } from './value.js';

/** A pool's windows. */
interface Windows extends Omit<WindowSettings, 'window'> {
  readonly pool: Extent;
}

/** What the choice of a formulation depends on, beside the shapes. */
export interface PoolFormulation {
  readonly training: boolean;
  /** The backend has no MaxPool that tells where its maxima lie. */
  readonly withoutPoolIndices: boolean;
  /** Channels of a block, where images may be blocked. */
  readonly blockSize: number | undefined;
}

/** The largest of each window of images `[n, h, w, c]`; its gradient goes to the first largest. */
export function maxPool(
  x: Value,
  layer: Windows,
  { training, withoutPoolIndices, blockSize }: PoolFormulation,
): Value {
  const { graph } = x;
  if (blockSize !== undefined && canBlock(x, layer)) return maxPoolOfBlocks(x, layer, blockSize);
  const image = channelsFirst(x);
  const { geometry, window, shape } = windowsOver(x, layer);
  if (!training || withoutPoolIndices) {
    const tensor = graph.op('MaxPool', [image.tensor], window);
    const operands = { x: image.tensor, largest: tensor, shape: image.shape.slice(1), geometry };
    const vjp = (gradient: Tensor) => maxPoolGradient(graph, layer, { ...operands, gradient });
    return { graph, tensor, shape, layout: 'channels-first', origin: { inputs: [image], vjps: [vjp] } };
  }
  const [tensor = '', indices = ''] = graph.opWithOutputs('MaxPool', {
    inputs: [image.tensor],
    attributes: window,
    outputs: 2,
  });
  const vjp = (dy: Tensor) => {
    const shape = graph.op('Shape', [image.tensor]);
    if (!overlaps(layer) && isTiling(geometry)) {
      return graph.op('MaxUnpool', [dy, indices, shape], {
        kernel_shape: layer.pool,
        strides: layer.strides,
      });
    }
    // Indices count through the whole tensor; a pixel may be the largest of several windows.
    const size = graph.op('ReduceProd', [shape], { keepdims: 1 });
    const zeros = graph.op('ConstantOfShape', [size]);
    const flat = graph.op('ScatterElements', [zeros, graph.reshape(indices, -1), graph.reshape(dy, -1)], {
      reduction: 'add',
    });
    return graph.op('Reshape', [flat, shape]);
  };
  return { graph, tensor, shape, layout: 'channels-first', origin: { inputs: [image], vjps: [vjp] } };
}

const overlaps = ({ pool, strides }: Pool) => strides[0] < pool[0] || strides[1] < pool[1];

const isTiling = (geometry: WindowGeometry) =>
  [...geometry.padBefore, ...geometry.padAfter].every((pad) => pad === 0);

/** The mean of each window of images `[n, h, w, c]`, without the padding, as TensorFlow computes it. */
export function averagePool(x: Value, layer: Windows): Value {
  const { graph } = x;
  const image = channelsFirst(x);
  const { geometry, window, shape } = windowsOver(x, layer);
  const [, channels = 0, height = 0, width = 0] = image.shape;
  const [rows, columns] = geometry.output;
  const vjp = (dy: Tensor) => {
    const shares = graph.op('Mul', [
      dy,
      graph.constant(windowShares([height, width], layer, geometry), [rows, columns]),
    ]);
    // Every pixel of a window gets its share: a transposed convolution with ones, one plane at a time.
    const planes = graph.op(
      'ConvTranspose',
      [
        graph.reshape(shares, -1, 1, rows, columns),
        graph.constant(new Float32Array(layer.pool[0] * layer.pool[1]).fill(1), [1, 1, ...layer.pool]),
      ],
      { ...window, output_padding: geometry.uncovered },
    );
    return graph.reshape(planes, -1, channels, height, width);
  };
  return {
    graph,
    tensor: graph.op('AveragePool', [image.tensor], { ...window, count_include_pad: 0 }),
    shape,
    layout: 'channels-first',
    origin: { inputs: [image], vjps: [vjp] },
  };
}

/** Where the windows lie, as attributes of a node too, and the shape of what comes out. */
function windowsOver({ shape: [, height = 0, width = 0, channels = 0] }: Value, layer: Windows) {
  const geometry = windowGeometry([height, width], { ...layer, window: layer.pool });
  return {
    geometry,
    window: { kernel_shape: layer.pool, strides: layer.strides, pads: onnxPads(geometry) },
    shape: [BATCH_AXIS, ...geometry.output, channels],
  };
}

/** 1 / (number of real pixels) of each window, row-major. */
function windowShares(input: Extent, layer: Windows, geometry: WindowGeometry): Float32Array {
  const covered = (axis: 0 | 1) =>
    Array.from({ length: geometry.output[axis] }, (_, index) => {
      const start = index * layer.strides[axis] - geometry.padBefore[axis];
      return Math.min(start + layer.pool[axis], input[axis]) - Math.max(start, 0);
    });
  const columns = covered(1);
  return Float32Array.from(covered(0).flatMap((rows) => columns.map((width) => 1 / (rows * width))));
}

/** Whether blocks come in, and the windows tile the image: no overlap, nothing left over. */
function canBlock({ layout, shape: [, height = 0, width = 0] }: Value, { pool, strides }: Windows): boolean {
  const tiles = strides[0] === pool[0] && strides[1] === pool[1];
  return layout === 'blocked' && tiles && height % pool[0] === 0 && width % pool[1] === 0;
}

/** On blocked images that the windows tile; the first largest is found again by comparing. */
function maxPoolOfBlocks(x: Value, layer: Windows, blockSize: number): Value {
  const { graph, layout, isRectified } = x;
  const { geometry, shape } = windowsOver(x, layer);
  const [, height = 0, width = 0, channels = 0] = x.shape;
  const tensor = graph.blockedOp('MaxPool', [x.tensor], { kernel_shape: layer.pool, strides: layer.strides });
  const vjp = (dy: Tensor) => {
    const tiles = (each: Tensor, [down, across]: Extent) =>
      graph.reshape(each, -1, down, geometry.output[1], across, blockSize);
    const gradient = tileGradient(graph, layer, {
      x: tiles(x.tensor, layer.pool),
      y: tiles(tensor, [1, 1]),
      dy: tiles(dy, [1, 1]),
    });
    return graph.reshape(gradient, -1, channels, height, width);
  };
  return { graph, tensor, shape, layout, isRectified, origin: { inputs: [x], vjps: [vjp] } };
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
