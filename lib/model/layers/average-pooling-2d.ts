/** AveragePooling2D: the mean of each window, without the padding. */
import type * as Tf from '@tensorflow/tfjs';
import { type Extent, type WindowGeometry, windowGeometry } from '../graph/window-geometry.js';
import type { LayerModule } from './layer-module.js';
import { type Pool2dLayer, pooledShape, poolGeometry, poolSettings } from './shapes.js';

type AveragePooling2dLayer = Pool2dLayer<'averagePooling2d'>;

/** Averages leave padding out, as TensorFlow does. */
export const averagePooling2d: LayerModule<AveragePooling2dLayer> = {
  kind: 'averagePooling2d',
  keras: [{ names: ['AveragePooling2D', 'AvgPool2D'], settings: poolSettings }],
  outputShape: pooledShape,
  forward(layer, input, { graph }) {
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
  },
  correctTensorflow(layer, { tf, built }) {
    if (layer.padding === 'same') leavePaddingOut(tf as typeof Tf, built as Tf.layers.Layer, layer);
  },
};

/** 1 / (number of real pixels) of each window, row-major. */
function windowShares(input: Extent, layer: AveragePooling2dLayer, geometry: WindowGeometry): Float32Array {
  const covered = (axis: 0 | 1) =>
    Array.from({ length: geometry.output[axis] }, (_, index) => {
      const start = index * layer.strides[axis] - geometry.padBefore[axis];
      return Math.min(start + layer.pool[axis], input[axis]) - Math.max(start, 0);
    });
  const columns = covered(1);
  return Float32Array.from(covered(0).flatMap((rows) => columns.map((width) => 1 / (rows * width))));
}

/** The gradient of a padded average counts the padding, which its value leaves out: both leave it out here. */
function leavePaddingOut(
  tf: typeof Tf,
  built: Tf.layers.Layer,
  { pool, strides }: AveragePooling2dLayer,
): void {
  built.call = (inputs) => {
    const input = (Array.isArray(inputs) ? inputs[0] : inputs) as Tf.Tensor4D;
    const [, height, width] = input.shape;
    const { output, padBefore, padAfter } = windowGeometry([height, width], {
      window: pool,
      strides,
      padding: 'same',
    });
    const share = (axis: 0 | 1) =>
      Array.from({ length: output[axis] }, (_, index) => {
        const start = index * strides[axis] - padBefore[axis];
        const end = Math.min(start + pool[axis], input.shape[axis === 0 ? 1 : 2]);
        return pool[axis] / (end - Math.max(start, 0));
      });
    const shares = tf.mul(
      tf.tensor(share(0), [1, output[0], 1, 1]),
      tf.tensor(share(1), [1, 1, output[1], 1]),
    );
    const padded = tf.pad(input, [
      [0, 0],
      [padBefore[0], padAfter[0]],
      [padBefore[1], padAfter[1]],
      [0, 0],
    ]);
    return tf.avgPool(padded, [...pool], [...strides], 'valid').mul(shares);
  };
}
