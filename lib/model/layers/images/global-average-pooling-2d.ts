/** GlobalAveragePooling2D: the mean of each channel. */
import { reduceMean } from '../../primitives/reductions.js';
import type { LayerModule } from '../layer-module.js';
import type { LayerWith } from '../settings.js';
import { globallyPooledShape, globalPoolSettings } from '../shapes.js';

/** `[h, w, c]` to `[c]`. */
export const globalAveragePooling2d: LayerModule<
  LayerWith<'globalAveragePooling2d', typeof globalPoolSettings>
> = {
  kind: 'globalAveragePooling2d',
  keras: [{ names: ['GlobalAveragePooling2D', 'GlobalAvgPool2D'], settings: globalPoolSettings }],
  outputShape: globallyPooledShape,
  forward: (_layer, [x]) => reduceMean(x, { axes: [1, 2], keepAxes: false }),
};
