/** LayerNormalization: each example by itself, usually each of its pixels (Ba et al. 2016, arXiv 1607.06450). */
import { standardize } from '../../primitives/reductions.js';
import { reshape } from '../../primitives/shaping.js';
import type { LayerModule } from '../layer-module.js';
import { fixed, type LayerWith } from '../settings.js';
import {
  gammaAndBeta,
  normalizationSettings,
  normalizedOver,
  placesOfAxes,
  scaleAndShift,
  unfitAxes,
} from './normalization.js';

const settings = {
  axis: normalizedOver,
  ...normalizationSettings,
  rmsScaling: fixed('rms_scaling', false, null),
};

type LayerNormalizationLayer = LayerWith<'layerNormalization', typeof settings>;

/** Gamma and beta have the extents of the axes. */
export const layerNormalization: LayerModule<LayerNormalizationLayer> = {
  kind: 'layerNormalization',
  keras: [{ names: ['LayerNormalization'], settings }],
  outputShape(layer, input) {
    normalizedAxes(layer, input);
    return input;
  },
  maskBehind: () => 'kept',
  parameters: (layer, input) =>
    gammaAndBeta(
      layer,
      normalizedAxes(layer, input).map((at) => input[at] as number),
    ),
  forward(layer, [x], context) {
    const axes = normalizedAxes(layer, x.shape.slice(1)).map((at) => at + 1);
    const places = x.shape.slice(1).map((extent, at) => (axes.includes(at + 1) ? extent : 1));
    const { standardized } = standardize(x, { axes, epsilon: layer.epsilon });
    return scaleAndShift(layer, standardized, (each) => reshape(each, places), context);
  },
};

/**
 * Which extents of its input, given without the batch, it normalises over.
 *
 * @throws {ModelError} where the input has no such axes, or they are not in order, as gamma and beta are
 */
function normalizedAxes(layer: LayerNormalizationLayer, input: readonly number[]): readonly number[] {
  const places = placesOfAxes('LayerNormalization', layer, input);
  const isInOrder = places.every((at, index) => at > (places[index - 1] ?? -1));
  if (isInOrder) return places;
  throw unfitAxes('LayerNormalization', layer, input);
}
