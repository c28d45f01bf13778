/** GroupNormalization: each example's channels in groups (Wu and He 2018, arXiv 1803.08494). */
import { ModelError } from '../model-error.js';
import { channelsFirst, fromChannelsFirst } from '../primitives/layout.js';
import { standardize } from '../primitives/reductions.js';
import { reshape } from '../primitives/shaping.js';
import { BATCH_AXIS } from '../primitives/value.js';
import type { LayerModule } from './layer-module.js';
import { gammaAndBeta, normalizationSettings, scaleAndShift } from './normalization.js';
import { fixed, type LayerWith, numberWhere, setting } from './settings.js';
import { channelsOf } from './shapes.js';

const settings = {
  groups: setting({
    keys: ['groups'],
    expected: 'a whole number of at least 1, or -1 for a group of each channel',
    fallback: 32,
    parse: numberWhere((groups) => Number.isSafeInteger(groups) && (groups > 0 || groups === -1)),
  }),
  axis: { ...fixed('axis', -1, 3), isWritten: true },
  ...normalizationSettings,
};

type GroupNormalizationLayer = LayerWith<'groupNormalization', typeof settings>;

/** Gamma and beta `[c]`. */
export const groupNormalization: LayerModule<GroupNormalizationLayer> = {
  kind: 'groupNormalization',
  keras: [{ names: ['GroupNormalization'], settings }],
  outputShape(layer, input) {
    groupCount(layer, channelsOf(input));
    return input;
  },
  parameters: (layer, input) => gammaAndBeta(layer, [channelsOf(input)]),
  forward(layer, [input], context) {
    const x = channelsFirst(input);
    const [, channels = 0, ...pixels] = x.shape;
    const groups = groupCount(layer, channels);
    const grouped = reshape(x, [BATCH_AXIS, groups, channels / groups, ...pixels]);
    const axes = grouped.shape.map((_, at) => at).slice(2);
    const { standardized } = standardize(grouped, { axes, epsilon: layer.epsilon });
    return scaleAndShift(layer, fromChannelsFirst(reshape(standardized, x.shape)), (each) => each, context);
  },
};

/** @throws {ModelError} where the channels cannot be dealt to the groups */
function groupCount({ name, groups }: GroupNormalizationLayer, channels: number): number {
  const count = groups === -1 ? channels : groups;
  if (channels % count === 0) return count;
  throw new ModelError(`layer ${name}: its ${channels} channels are no multiple of its groups, ${groups}`);
}
