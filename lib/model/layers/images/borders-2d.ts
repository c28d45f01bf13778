/** ZeroPadding2D: a border of zeros around each image. */
import { pad } from '../../primitives/shaping.js';
import type { LayerModule } from '../layer-module.js';
import { imageOrder, type LayerWith, margins } from '../settings.js';
import { requireImage } from '../shapes.js';

const settings = {
  padding: margins('padding', [
    [1, 1],
    [1, 1],
  ]),
  ...imageOrder,
};

/** `[h, w, c]` to `[h + margins, w + margins, c]`. */
export const zeroPadding2d: LayerModule<LayerWith<'zeroPadding2d', typeof settings>> = {
  kind: 'zeroPadding2d',
  keras: [{ names: ['ZeroPadding2D'], settings }],
  outputShape(layer, input) {
    requireImage(layer, input);
    const [height = 0, width = 0, channels = 0] = input;
    const [[top, bottom], [left, right]] = layer.padding;
    return [height + top + bottom, width + left + right, channels];
  },
  forward: ({ padding }, [x]) => pad(x, [[0, 0], ...padding, [0, 0]]),
};
