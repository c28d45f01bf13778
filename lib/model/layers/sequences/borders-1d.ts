/** Longer and shorter sequences: ZeroPadding1D, Cropping1D, UpSampling1D and RepeatVector. */

import { ModelError } from '../../../core/errors.js';
import { formatShape } from '../../../core/weights.js';
import { expand, pad, reshape } from '../../primitives/shaping.js';
import { BATCH_AXIS, type Value } from '../../primitives/value.js';
import type { LayerModule } from '../layer-module.js';
import { fixed, type LayerWith, size } from '../settings.js';
import { extent1d, margins1d, requireSequence } from './sequences.js';

const paddingSettings = {
  padding: margins1d('padding', 1),
  dataFormat: { ...fixed('data_format', 'channels_last', null), isWritten: false },
};

/** Zeros before and after: `[t, c]` to `[t + margins, c]`. */
export const zeroPadding1d: LayerModule<LayerWith<'zeroPadding1d', typeof paddingSettings>> = {
  kind: 'zeroPadding1d',
  keras: [{ names: ['ZeroPadding1D'], settings: paddingSettings }],
  outputShape(layer, input) {
    requireSequence(layer, input);
    const [steps = 0, channels = 0] = input;
    return [steps + layer.padding[0] + layer.padding[1], channels];
  },
  forward: ({ padding }, [x]) => pad(x, [[0, 0], padding, [0, 0]]),
};

const croppingSettings = { cropping: margins1d('cropping', 1) };

/** Without its beginning and end: `[t, c]` to `[t - margins, c]`. */
export const cropping1d: LayerModule<LayerWith<'cropping1d', typeof croppingSettings>> = {
  kind: 'cropping1d',
  keras: [{ names: ['Cropping1D'], settings: croppingSettings }],
  outputShape(layer, input) {
    requireSequence(layer, input);
    const [steps = 0, channels = 0] = input;
    const left = steps - layer.cropping[0] - layer.cropping[1];
    if (left >= 1) return [left, channels];
    throw new ModelError(`layer ${layer.name}: its cropping leaves nothing of ${steps} steps`);
  },
  forward: ({ cropping: [before, after] }, [x]) =>
    pad(x, [
      [0, 0],
      [-before, -after],
      [0, 0],
    ]),
};

const upSamplingSettings = { size: extent1d(['size', 'length'], 2) };

/** Each element several times: `[t, c]` to `[t · size, c]`. */
export const upSampling1d: LayerModule<LayerWith<'upSampling1d', typeof upSamplingSettings>> = {
  kind: 'upSampling1d',
  keras: [{ names: ['UpSampling1D'], settings: upSamplingSettings }],
  outputShape(layer, input) {
    requireSequence(layer, input);
    return [(input[0] as number) * layer.size, input[1] as number];
  },
  forward({ size: times }, [x]) {
    const [, steps = 0, channels = 0] = x.shape;
    return reshape(repeated(x, times), [BATCH_AXIS, steps * times, channels]);
  },
};

const repeatSettings = { times: size('n') };

/** A row several times, as a sequence: `[c]` to `[n, c]`. */
export const repeatVector: LayerModule<LayerWith<'repeatVector', typeof repeatSettings>> = {
  kind: 'repeatVector',
  keras: [{ names: ['RepeatVector'], settings: repeatSettings }],
  outputShape({ name, times }, input) {
    if (input.length === 1) return [times, input[0] as number];
    throw new ModelError(`layer ${name}: takes [features], its input is ${formatShape(input)}`);
  },
  forward: ({ times }, [x]) => repeated(x, times),
};

/** `[…, c]` to `[…, times, c]` */
function repeated(x: Value, times: number): Value {
  const [rows, channels] = [x.shape.slice(0, -1), x.shape.at(-1) as number];
  return expand(reshape(x, [...rows, 1, channels]), [...rows.map(() => 1), times, 1]);
}
