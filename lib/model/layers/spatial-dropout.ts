/** SpatialDropout1D and 2D: whole channels dropped (Tompson et al. 2015, arXiv 1411.4280). */

import { ModelError } from '../../core/errors.js';
import { formatShape } from '../../core/weights.js';
import { mul } from '../primitives/arithmetic.js';
import { dropoutMask, dropoutSettings } from './dropout.js';
import type { LayerModule } from './layer-module.js';
import { imageOrder, type LayerWith } from './settings.js';

/** A channel is kept or dropped at all its places alike. */
function spatialDropout<Kind extends string>(
  kind: Kind,
  { className, rank, others }: { readonly className: string; readonly rank: number; readonly others: object },
): LayerModule<LayerWith<Kind, typeof dropoutSettings>> {
  const settings = { ...dropoutSettings, ...others };
  return {
    kind,
    keras: [
      {
        names: [className],
        settings,
        withoutEffect: ['seed'],
        forTrainingOnly: ['noise_shape'],
        takesNoTrainable: true,
      },
    ],
    outputShape({ name }, input) {
      if (input.length === rank) return input;
      throw new ModelError(
        `layer ${name}: ${className} takes ${rank} axes behind that of the batch, its input is ${formatShape(input)}`,
      );
    },
    forward({ rate }, [x], context) {
      if (!context.training || rate === 0) return x;
      const shape = x.shape.map((extent, at) => (at === 0 || at === rank ? extent : 1));
      return mul(x, dropoutMask(rate, { context, x: { graph: x.graph, shape } }));
    },
    drawsNumbers: () => true,
    notTrainedByTensorflow: () => 'masks that a seed repeats',
  };
}

/** `[t, f]` */
export const spatialDropout1d = spatialDropout('spatialDropout1d', {
  className: 'SpatialDropout1D',
  rank: 2,
  others: {},
});
/** `[h, w, c]` */
export const spatialDropout2d = spatialDropout('spatialDropout2d', {
  className: 'SpatialDropout2D',
  rank: 3,
  others: imageOrder,
});
