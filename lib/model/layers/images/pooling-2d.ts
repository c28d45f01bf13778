/** Pools of images: of windows, and of whole images. */

import type * as Tf from '@tensorflow/tfjs';
import { windowGeometry } from '../../graph/window-geometry.js';
import { averagePool, maxPool } from '../../primitives/pooling.js';
import { reduceMax, reduceMean } from '../../primitives/reductions.js';
import type { LayerModule, NamedLayer } from '../layer-module.js';
import { extent, fixed, imageOrder, type LayerWith, padding } from '../settings.js';
import { requireImage, slidingShape } from '../shapes.js';

const pool = extent(['pool_size'], [2, 2]);

const poolSettings = { pool, strides: extent(['strides'], pool), padding, ...imageOrder };

type Pool2dLayer<Kind extends string = string> = LayerWith<Kind, typeof poolSettings>;

/** `[h, w, c]` of what comes out. @throws {ModelError} for no image, or a window that does not fit */
export function pooledShape(layer: Pool2dLayer, input: readonly number[]): readonly number[] {
  return [...slidingShape(layer, { input, window: layer.pool }), input[2] as number];
}

/** The largest of each window; its gradient goes to the first largest. */
export const maxPooling2d: LayerModule<Pool2dLayer<'maxPooling2d'>> = {
  kind: 'maxPooling2d',
  keras: [{ names: ['MaxPooling2D', 'MaxPool2D'], settings: poolSettings }],
  outputShape: pooledShape,
  forward: (layer, [x], context) => maxPool(x, layer, context),
  commutesWithRelu: true,
};

type AveragePooling2dLayer = Pool2dLayer<'averagePooling2d'>;

/** The mean of each window; averages leave padding out, as TensorFlow does. */
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

/** The settings of a pool over whole images. */
export const globalPoolSettings = { ...imageOrder, keepDims: fixed('keepdims', false, null) };

/** `[h, w, c]` to `[c]`. @throws {ModelError} for no image */
function globallyPooledShape(layer: NamedLayer, input: readonly number[]): readonly number[] {
  requireImage(layer, input);
  return input.slice(2);
}

/** The largest of each channel. */
export const globalMaxPooling2d: LayerModule<LayerWith<'globalMaxPooling2d', typeof globalPoolSettings>> = {
  kind: 'globalMaxPooling2d',
  keras: [{ names: ['GlobalMaxPooling2D', 'GlobalMaxPool2D'], settings: globalPoolSettings }],
  outputShape: globallyPooledShape,
  forward: (_layer, [x]) => reduceMax(x, { axes: [1, 2], keepAxes: false }),
};

/** The mean of each channel. */
export const globalAveragePooling2d: LayerModule<
  LayerWith<'globalAveragePooling2d', typeof globalPoolSettings>
> = {
  kind: 'globalAveragePooling2d',
  keras: [{ names: ['GlobalAveragePooling2D', 'GlobalAvgPool2D'], settings: globalPoolSettings }],
  outputShape: globallyPooledShape,
  forward: (_layer, [x]) => reduceMean(x, { axes: [1, 2], keepAxes: false }),
};
