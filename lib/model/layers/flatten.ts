/** Flatten: an image as one row of features. */
import { sizeOf } from '../../core/weights.js';
import { flattenBlocked } from '../graph/blocked-layout.js';
import type { LayerModule } from './layer-module.js';
import { imageOrder, type LayerWith } from './settings.js';

/** `[c, h, w]` to `[h·w·c]` in Keras' channels-last order; `[features]` stays. */
export const flatten: LayerModule<LayerWith<'flatten', typeof imageOrder>> = {
  kind: 'flatten',
  keras: [{ names: ['Flatten'], settings: imageOrder }],
  outputShape: (_layer, input) => [sizeOf(input)],
  forward(_layer, input, { graph }) {
    const [channels = 0, height = 1, width = 1] = input.shape;
    const features = sizeOf(input.shape);
    if (input.shape.length === 1) return { output: input, backward: (dy) => dy };
    if (channels === 1 || height * width === 1) {
      return {
        output: { tensor: graph.reshape(input.tensor, -1, features), shape: [features] },
        backward: (dy) => graph.reshape(dy, -1, channels, height, width),
      };
    }
    const planes = graph.reshape(input.tensor, -1, channels, height * width);
    return {
      output: { tensor: graph.reshape(graph.transpose(planes, 0, 2, 1), -1, features), shape: [features] },
      backward: (dy) =>
        graph.reshape(
          graph.transpose(graph.reshape(dy, -1, height * width, channels), 0, 2, 1),
          -1,
          channels,
          height,
          width,
        ),
    };
  },
  blocked: {
    accepts: (_layer, { blocked }) => blocked === true,
    forward: (_layer, input, { context }) => flattenBlocked(context.graph, input),
  },
  onlyReshapes: true,
};
