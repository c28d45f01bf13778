/** GlobalAveragePooling2D: the mean of each channel. */
import type { LayerModule } from './layer-module.js';
import { fixed, imageOrder, type LayerWith } from './settings.js';
import { requireImage } from './shapes.js';

const settings = { ...imageOrder, keepDims: fixed('keepdims', false, null) };

/** `[h, w, c]` to `[c]`. */
export const globalAveragePooling2d: LayerModule<LayerWith<'globalAveragePooling2d', typeof settings>> = {
  kind: 'globalAveragePooling2d',
  keras: [{ names: ['GlobalAveragePooling2D', 'GlobalAvgPool2D'], settings }],
  outputShape(layer, input) {
    requireImage(layer, input);
    return [input[2] as number];
  },
  forward(_layer, input, { graph }) {
    const [channels = 0, height = 0, width = 0] = input.shape;
    const share = new Float32Array(height * width).fill(1 / (height * width));
    return {
      output: {
        tensor: graph.op('ReduceMean', [input.tensor, graph.integers(2, 3)], { keepdims: 0 }),
        shape: [channels],
      },
      backward: (dy) =>
        graph.op('Mul', [
          graph.reshape(dy, -1, channels, 1, 1),
          graph.constant(share, [1, 1, height, width]),
        ]),
    };
  },
};
