/** LayerNormalization: each example by itself, usually each of its pixels (Ba et al. 2016, arXiv 1607.06450). */
import { formatShape } from '../../core/weights.js';
import { ModelError } from '../model-error.js';
import { differentiated } from '../primitives/differentiated.js';
import { reshape, transpose } from '../primitives/shaping.js';
import type { LayerModule } from './layer-module.js';
import { gammaAndBeta, normalizationSettings, scaleAndShift, standardize } from './normalization.js';
import { fixed, type LayerWith, setting } from './settings.js';

const settings = {
  /** Those that are normalised over, as Keras counts, the batch being axis 0; -1 are the channels. */
  axis: setting<readonly number[]>({
    keys: ['axis'],
    expected: 'the numbers of one or more axes',
    fallback: [-1],
    parse(value) {
      const axes = [value].flat();
      return axes.length > 0 && axes.every(Number.isSafeInteger) ? (axes as readonly number[]) : undefined;
    },
  }),
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
  parameters: (layer, input) =>
    gammaAndBeta(
      layer,
      normalizedAxes(layer, input).map((at) => input[at] as number),
    ),
  forward: differentiated((layer, x, parameter) => {
    const [, channels = 0, height = 0, width = 0] = x.shape;
    const isImage = x.shape.length === 4;
    const extents = isImage ? [height, width, channels] : [channels];
    const kept = normalizedAxes(layer, extents);
    // Images are channels first here, and channels last where the axes were counted.
    const axes = kept.map((at) => (isImage ? ([2, 3, 1][at] as number) : 1));
    const places = extents.map((extent, at) => (kept.includes(at) ? extent : 1));
    return scaleAndShift(
      layer,
      standardize(x, axes, layer.epsilon),
      (each) => (isImage ? transpose(reshape(each, places), [2, 0, 1]) : each),
      { parameter, shape: kept.map((at) => extents[at] as number) },
    );
  }),
};

/**
 * Which extents of its input, given without the batch, it normalises over.
 *
 * @throws {ModelError} where the input has no such axes, or they are not in order, as gamma and beta are
 */
function normalizedAxes(
  { name, axis }: LayerNormalizationLayer,
  input: readonly number[],
): readonly number[] {
  const found = axis.map((each) => (each < 0 ? input.length + each : each - 1));
  const isInOrder = found.every((at, index) => input[at] !== undefined && at > (found[index - 1] ?? -1));
  if (isInOrder) return found;
  throw new ModelError(
    `layer ${name}: LayerNormalization with axis ${axis.join(', ')} is not possible, its input is ${formatShape(input)} behind the axis of the batch`,
  );
}
