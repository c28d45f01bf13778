/** Cropping2D: each image without its border. */
import { ModelError } from '../../model-error.js';
import { pad } from '../../primitives/shaping.js';
import type { LayerModule } from '../layer-module.js';
import { imageOrder, type LayerWith, margins } from '../settings.js';
import { requireImage } from '../shapes.js';

const settings = {
  cropping: margins('cropping', [
    [0, 0],
    [0, 0],
  ]),
  ...imageOrder,
};

/** `[h, w, c]` to `[h - margins, w - margins, c]`. */
export const cropping2d: LayerModule<LayerWith<'cropping2d', typeof settings>> = {
  kind: 'cropping2d',
  keras: [{ names: ['Cropping2D'], settings }],
  outputShape(layer, input) {
    requireImage(layer, input);
    const [height = 0, width = 0, channels = 0] = input;
    const [[top, bottom], [left, right]] = layer.cropping;
    const [rows, columns] = [height - top - bottom, width - left - right];
    if (rows < 1 || columns < 1) {
      throw new ModelError(`layer ${layer.name}: its cropping leaves nothing of ${height}×${width} pixels`);
    }
    return [rows, columns, channels];
  },
  forward: ({ cropping: [[top, bottom], [left, right]] }, [x]) =>
    pad(x, [
      [0, 0],
      [-top, -bottom],
      [-left, -right],
      [0, 0],
    ]),
};
