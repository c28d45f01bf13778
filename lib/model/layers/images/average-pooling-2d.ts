/** AveragePooling2D: the mean of each window, without the padding. */
import type * as Tf from '@tensorflow/tfjs';
import { windowGeometry } from '../../graph/window-geometry.js';
import { averagePool } from '../../primitives/pooling.js';
import type { LayerModule } from '../layer-module.js';
import { type Pool2dLayer, pooledShape, poolSettings } from '../shapes.js';

type AveragePooling2dLayer = Pool2dLayer<'averagePooling2d'>;

/** Averages leave padding out, as TensorFlow does. */
export const averagePooling2d: LayerModule<AveragePooling2dLayer> = {
  kind: 'averagePooling2d',
  keras: [{ names: ['AveragePooling2D', 'AvgPool2D'], settings: poolSettings }],
  outputShape: pooledShape,
  forward: (layer, [x]) => averagePool(x, layer),
  correctTensorflow(layer, { tf, built }) {
    if (layer.padding === 'same') leavePaddingOut(tf as typeof Tf, built as Tf.layers.Layer, layer);
  },
};

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
