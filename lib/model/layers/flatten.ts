/** Flatten: an image as one row of features. */
import { sizeOf } from '../../core/weights.js';
import { reshape } from '../primitives/shaping.js';
import { BATCH_AXIS } from '../primitives/value.js';
import type { LayerModule } from './layer-module.js';
import { imageOrder, type LayerWith } from './settings.js';

/** `[h, w, c]` to `[h·w·c]`; `[features]` stays. */
export const flatten: LayerModule<LayerWith<'flatten', typeof imageOrder>> = {
  kind: 'flatten',
  keras: [{ names: ['Flatten'], settings: imageOrder }],
  outputShape: (_layer, input) => [sizeOf(input)],
  forward: (_layer, [x]) => (x.shape.length === 2 ? x : reshape(x, [BATCH_AXIS, sizeOf(x.shape.slice(1))])),
  maskBehind: () => 'dropped',
  onlyReshapes: true,
};
