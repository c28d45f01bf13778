/** GlobalMaxPooling2D: the largest of each channel. */
import { reduceMax } from '../../primitives/reductions.js';
import type { LayerModule } from '../layer-module.js';
import type { LayerWith } from '../settings.js';
import { globallyPooledShape, globalPoolSettings } from '../shapes.js';

/** `[h, w, c]` to `[c]`. */
export const globalMaxPooling2d: LayerModule<LayerWith<'globalMaxPooling2d', typeof globalPoolSettings>> = {
  kind: 'globalMaxPooling2d',
  keras: [{ names: ['GlobalMaxPooling2D', 'GlobalMaxPool2D'], settings: globalPoolSettings }],
  outputShape: globallyPooledShape,
  forward: (_layer, [x]) => reduceMax(x, { axes: [1, 2], keepAxes: false }),
};
