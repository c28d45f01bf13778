/** Larger and smaller images: ZeroPadding2D, Cropping2D and UpSampling2D. */

import type * as Tf from '@tensorflow/tfjs';
import { ModelError } from '../../../core/errors.js';
import { channelsFirst, fromChannelsFirst } from '../../primitives/layout.js';
import { resizeBilinear } from '../../primitives/resizing.js';
import { expand, pad, reshape } from '../../primitives/shaping.js';
import { BATCH_AXIS } from '../../primitives/value.js';
import type { LayerModule } from '../layer-module.js';
import { extent, imageOrder, type LayerWith, margins, setting } from '../settings.js';
import { requireImage } from '../shapes.js';

const paddingSettings = {
  padding: margins('padding', [
    [1, 1],
    [1, 1],
  ]),
  ...imageOrder,
};

/** A border of zeros around each image: `[h, w, c]` to `[h + margins, w + margins, c]`. */
export const zeroPadding2d: LayerModule<LayerWith<'zeroPadding2d', typeof paddingSettings>> = {
  kind: 'zeroPadding2d',
  keras: [{ names: ['ZeroPadding2D'], settings: paddingSettings }],
  outputShape(layer, input) {
    requireImage(layer, input);
    const [height = 0, width = 0, channels = 0] = input;
    const [[top, bottom], [left, right]] = layer.padding;
    return [height + top + bottom, width + left + right, channels];
  },
  forward: ({ padding }, [x]) => pad(x, [[0, 0], ...padding, [0, 0]]),
};

const croppingSettings = {
  cropping: margins('cropping', [
    [0, 0],
    [0, 0],
  ]),
  ...imageOrder,
};

/** Each image without its border: `[h, w, c]` to `[h - margins, w - margins, c]`. */
export const cropping2d: LayerModule<LayerWith<'cropping2d', typeof croppingSettings>> = {
  kind: 'cropping2d',
  keras: [{ names: ['Cropping2D'], settings: croppingSettings }],
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

const upSamplingSettings = {
  size: extent(['size'], [2, 2]),
  ...imageOrder,
  interpolation: setting<'nearest' | 'bilinear'>({
    keys: ['interpolation'],
    expected: 'nearest or bilinear',
    fallback: 'nearest',
    parse: (value) => (value === 'nearest' || value === 'bilinear' ? value : undefined),
  }),
};

/** Each pixel repeated, or new ones between them: `[h, w, c]` to `[h · rows, w · columns, c]`. */
export const upSampling2d: LayerModule<LayerWith<'upSampling2d', typeof upSamplingSettings>> = {
  kind: 'upSampling2d',
  keras: [{ names: ['UpSampling2D'], settings: upSamplingSettings }],
  outputShape(layer, input) {
    requireImage(layer, input);
    const [height = 0, width = 0, channels = 0] = input;
    return [height * layer.size[0], width * layer.size[1], channels];
  },
  forward({ size, interpolation }, [input]) {
    if (interpolation === 'bilinear') return resizeBilinear(input, size);
    const [rows, columns] = size;
    const x = channelsFirst(input);
    const [, channels = 0, height = 0, width = 0] = x.shape;
    const apart = reshape(x, [BATCH_AXIS, channels, height, 1, width, 1]);
    const repeated = expand(apart, [1, 1, 1, rows, 1, columns]);
    return fromChannelsFirst(reshape(repeated, [BATCH_AXIS, channels, height * rows, width * columns]));
  },
  // Bilinear, it mixes other pixels.
  notInTensorflow: ({ interpolation }) =>
    interpolation === 'nearest' ? undefined : `interpolation ${interpolation}`,
  // The gradient of its resizing is wrong on the processor.
  correctTensorflow({ size: [rows, columns] }, place) {
    const [tf, built] = [place.tf as typeof Tf, place.built as Tf.layers.Layer];
    built.call = (inputs) => {
      const input = (Array.isArray(inputs) ? inputs[0] : inputs) as Tf.Tensor4D;
      const [count, height, width, channels] = input.shape;
      const tall = tf.tile(input.reshape([count * height, 1, width * channels]), [1, rows, 1]);
      const wide = tf.tile(tall.reshape([count * height * rows * width, 1, channels]), [1, columns, 1]);
      return wide.reshape([count, height * rows, width * columns, channels]);
    };
  },
};
