/** GroupNormalization: each example's channels, or places of another axis, in groups (Wu and He 2018, arXiv 1803.08494). */
import { ModelError } from '../../../core/errors.js';
import { channelsFirst, fromChannelsFirst } from '../../primitives/layout.js';
import { standardize } from '../../primitives/reductions.js';
import { reshape, transpose } from '../../primitives/shaping.js';
import { BATCH_AXIS } from '../../primitives/value.js';
import type { LayerModule } from '../layer-module.js';
import { type LayerWith, numberWhere, setting } from '../settings.js';
import { gammaAndBeta, normalizationSettings, placesOfAxes, scaleAndShift } from './normalization.js';

const settings = {
  groups: setting({
    keys: ['groups'],
    expected: 'a whole number of at least 1, or -1 for a group of each channel',
    fallback: 32,
    parse: numberWhere((groups) => Number.isSafeInteger(groups) && (groups > 0 || groups === -1)),
  }),
  /** Whose places are dealt to the groups, as Keras counts, the batch being axis 0; -1 are the channels. */
  axis: setting({
    keys: ['axis'],
    expected: 'the number of one axis behind that of the batch',
    fallback: -1,
    parse: numberWhere((axis) => Number.isSafeInteger(axis) && axis !== 0),
  }),
  ...normalizationSettings,
};

type GroupNormalizationLayer = LayerWith<'groupNormalization', typeof settings>;

/** Gamma and beta have a number for each place of the axis. */
export const groupNormalization: LayerModule<GroupNormalizationLayer> = {
  kind: 'groupNormalization',
  keras: [{ names: ['GroupNormalization'], settings }],
  outputShape(layer, input) {
    groupCount(layer, input);
    return input;
  },
  parameters: (layer, input) => gammaAndBeta(layer, [input[groupedAxis(layer, input)] as number]),
  forward(layer, [input], context) {
    const inside = input.shape.slice(1);
    const axis = groupedAxis(layer, inside);
    const groups = groupCount(layer, inside);
    const last = inside.length - 1;
    // The grouped axis comes first: images may have their channels there already.
    const order = [0, axis + 1, ...inside.flatMap((_, at) => (at === axis ? [] : [at + 1]))];
    const x = axis === last ? channelsFirst(input) : transpose(input, order);
    const [, places = 0, ...others] = x.shape;
    const grouped = reshape(x, [BATCH_AXIS, groups, places / groups, ...others]);
    const axes = grouped.shape.map((_, at) => at).slice(2);
    const { standardized } = standardize(grouped, { axes, epsilon: layer.epsilon });
    const whole = reshape(standardized, x.shape);
    if (axis === last) return scaleAndShift(layer, fromChannelsFirst(whole), (each) => each, context);
    const back = transpose(
      whole,
      order.map((_, at) => order.indexOf(at)),
    );
    const along = inside.map((extent, at) => (at === axis ? extent : 1));
    return scaleAndShift(layer, back, (each) => reshape(each, along), context);
  },
};

/** Which extent of its input, given without the batch, is dealt to the groups. @throws {ModelError} where it has no such axis */
const groupedAxis = (layer: GroupNormalizationLayer, input: readonly number[]): number =>
  placesOfAxes('GroupNormalization', layer, input)[0] as number;

/** @throws {ModelError} where the places of the axis cannot be dealt to the groups */
function groupCount(layer: GroupNormalizationLayer, input: readonly number[]): number {
  const { name, groups } = layer;
  const places = input[groupedAxis(layer, input)] as number;
  const count = groups === -1 ? places : groups;
  if (places % count === 0) return count;
  throw new ModelError(`layer ${name}: its ${places} channels are no multiple of its groups, ${groups}`);
}
