/** MaxPooling2D, AveragePooling2D and GlobalAveragePooling2D. */
import type { Extent, Pooling2dLayer } from '../../../model/model-description.js';
import { onnxPads, type WindowGeometry, windowGeometry } from '../../window-geometry.js';
import type { AppliedLayer, LayerContext, LayerValue } from '../layer-graph.js';
import { maxPoolGradient } from './max-pool-gradient.js';

/** Largest value of each window; its gradient goes to the first largest. */
export function applyMaxPooling(
  layer: Pooling2dLayer,
  input: LayerValue,
  { graph, training, withoutPoolIndices }: LayerContext,
): AppliedLayer {
  const { geometry, window, output } = poolGeometry(layer, input);
  if (!training || withoutPoolIndices) {
    const tensor = graph.op('MaxPool', [input.tensor], window);
    return {
      output: { tensor, shape: output },
      backward: (gradient) =>
        maxPoolGradient(graph, layer, {
          x: input.tensor,
          largest: tensor,
          gradient,
          shape: input.shape,
          geometry,
        }),
    };
  }
  const [tensor = '', indices = ''] = graph.opWithOutputs('MaxPool', {
    inputs: [input.tensor],
    attributes: window,
    outputs: 2,
  });
  return {
    output: { tensor, shape: output },
    backward(dy) {
      const shape = graph.op('Shape', [input.tensor]);
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
    },
  };
}

/** Mean of each window, without the padding. */
export function applyAveragePooling(
  layer: Pooling2dLayer,
  input: LayerValue,
  { graph }: LayerContext,
): AppliedLayer {
  const { geometry, window, output } = poolGeometry(layer, input);
  const [channels = 0, height = 0, width = 0] = input.shape;
  const [rows, columns] = geometry.output;
  return {
    output: {
      tensor: graph.op('AveragePool', [input.tensor], { ...window, count_include_pad: 0 }),
      shape: output,
    },
    backward(dy) {
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
    },
  };
}

/** Mean of each channel: `[c, h, w]` to `[c]`. */
export function applyGlobalAveragePooling(input: LayerValue, { graph }: LayerContext): AppliedLayer {
  const [channels = 0, height = 0, width = 0] = input.shape;
  const share = new Float32Array(height * width).fill(1 / (height * width));
  return {
    output: {
      tensor: graph.op('ReduceMean', [input.tensor, graph.integers(2, 3)], { keepdims: 0 }),
      shape: [channels],
    },
    backward: (dy) =>
      graph.op('Mul', [graph.reshape(dy, -1, channels, 1, 1), graph.constant(share, [1, 1, height, width])]),
  };
}

function poolGeometry(layer: Pooling2dLayer, input: LayerValue) {
  const [channels = 0, height = 0, width = 0] = input.shape;
  const geometry = windowGeometry([height, width], { ...layer, window: layer.pool });
  return {
    geometry,
    window: { kernel_shape: layer.pool, strides: layer.strides, pads: onnxPads(geometry) },
    output: [channels, ...geometry.output],
  };
}

const overlaps = (layer: Pooling2dLayer) =>
  layer.strides[0] < layer.pool[0] || layer.strides[1] < layer.pool[1];

const isTiling = (geometry: WindowGeometry) =>
  [...geometry.padBefore, ...geometry.padAfter].every((pad) => pad === 0);

/** 1 / (number of real pixels) of each window, row-major. */
function windowShares(input: Extent, layer: Pooling2dLayer, geometry: WindowGeometry): Float32Array {
  const covered = (axis: 0 | 1) =>
    Array.from({ length: geometry.output[axis] }, (_, index) => {
      const start = index * layer.strides[axis] - geometry.padBefore[axis];
      return Math.min(start + layer.pool[axis], input[axis]) - Math.max(start, 0);
    });
  const columns = covered(1);
  return Float32Array.from(covered(0).flatMap((rows) => columns.map((width) => 1 / (rows * width))));
}
