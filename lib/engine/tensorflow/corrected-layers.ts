/** Layers of tf.layers 4.22 that differ from Keras, put right. */
import type * as Tf from '@tensorflow/tfjs';
import type { BatchNormalizationLayer, Layer, Pooling2dLayer } from '../../model/model-description.js';
import { windowGeometry } from '../window-geometry.js';

/** Corrects the layers of `model` that need it; `layers` are what it was built from. */
export function correctLayers(tf: typeof Tf, model: Tf.LayersModel, layers: readonly Layer[]): void {
  for (const layer of layers) {
    if (layer.kind === 'averagePooling2d' && layer.padding === 'same') {
      correctAveragePooling(tf, model.getLayer(layer.name), layer);
    }
    if (layer.kind === 'batchNormalization') {
      completeNormalization(tf, model.getLayer(layer.name));
      normaliseLast(model.getLayer(layer.name), layer);
    }
  }
}

/** The gradient of a padded average counts the padding, which its value leaves out: both leave it out here. */
function correctAveragePooling(
  tf: typeof Tf,
  built: Tf.layers.Layer,
  { pool, strides }: Pooling2dLayer,
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

/** In training it wants a gamma and a beta even where the settings say that there is none. */
function completeNormalization(tf: typeof Tf, built: Tf.layers.Layer): void {
  const layer = built as unknown as {
    gamma?: { read(): Tf.Tensor } | null;
    beta?: { read(): Tf.Tensor } | null;
    readonly movingMean: Tf.LayerVariable;
  };
  const shape = layer.movingMean.shape as number[];
  layer.gamma ??= { read: () => tf.ones(shape) };
  layer.beta ??= { read: () => tf.zeros(shape) };
}

/** It normalises along the last axis whichever it is told: images are turned for another one. */
function normaliseLast(built: Tf.layers.Layer, { axis }: BatchNormalizationLayer): void {
  const layer = built as unknown as { axis: number; call: Tf.layers.Layer['call'] };
  const call = layer.call.bind(built);
  layer.axis = -1;
  layer.call = (inputs, kwargs) => {
    const input = (Array.isArray(inputs) ? inputs[0] : inputs) as Tf.Tensor;
    const last = input.rank - 1;
    const swapped = input.shape.map((_, at) => at);
    const kept = axis < 0 ? input.rank + axis : axis;
    [swapped[kept], swapped[last]] = [last, kept];
    if (kept === last) return call(input, kwargs);
    return (call(input.transpose(swapped), kwargs) as Tf.Tensor).transpose(swapped);
  };
}
