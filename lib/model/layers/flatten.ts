/** Flatten: an image as one row of features. */
import { sizeOf } from '../../core/weights.js';
import { flattenBlocked } from '../graph/blocked-layout.js';
import { differentiated } from '../primitives/differentiated.js';
import { reshape, transpose } from '../primitives/shaping.js';
import { BATCH_AXIS } from '../primitives/value.js';
import type { LayerModule } from './layer-module.js';
import { imageOrder, type LayerWith } from './settings.js';

/** `[c, h, w]` to `[h·w·c]` in Keras' channels-last order; `[features]` stays. */
export const flatten: LayerModule<LayerWith<'flatten', typeof imageOrder>> = {
  kind: 'flatten',
  keras: [{ names: ['Flatten'], settings: imageOrder }],
  outputShape: (_layer, input) => [sizeOf(input)],
  forward: differentiated((_layer, x) => {
    const [, channels = 0, height = 1, width = 1] = x.shape;
    const row = [BATCH_AXIS, sizeOf(x.shape.slice(1))];
    if (x.shape.length === 2) return x;
    if (channels === 1 || height * width === 1) return reshape(x, row);
    return reshape(transpose(reshape(x, [BATCH_AXIS, channels, height * width]), [0, 2, 1]), row);
  }),
  blocked: {
    accepts: (_layer, { blocked }) => blocked === true,
    forward: (_layer, input, { context }) => flattenBlocked(context.graph, input),
  },
  onlyReshapes: true,
};
