/** UnitNormalization: the numbers of each example along some axes, usually those of a pixel, scaled to length 1. */
import { div, maximum, mul } from '../../primitives/arithmetic.js';
import { sqrt } from '../../primitives/elementwise.js';
import { reduceSum } from '../../primitives/reductions.js';
import type { Value } from '../../primitives/value.js';
import type { LayerModule } from '../layer-module.js';
import type { LayerWith } from '../settings.js';
import { normalizedOver, placesOfAxes } from './normalization.js';

const settings = { axis: normalizedOver };

type UnitNormalizationLayer = LayerWith<'unitNormalization', typeof settings>;

/** x / ‖x‖, the length taken over the axes. */
export const unitNormalization: LayerModule<UnitNormalizationLayer> = {
  kind: 'unitNormalization',
  keras: [{ names: ['UnitNormalization'], settings }],
  outputShape(layer, input) {
    placesOfAxes('UnitNormalization', layer, input);
    return input;
  },
  maskBehind: () => 'kept',
  forward(layer, [x]) {
    const places = placesOfAxes('UnitNormalization', layer, x.shape.slice(1));
    return toLengthOne(
      x,
      places.map((at) => at + 1),
    );
  },
};

/** What keeps a length off 0, as in Keras. */
const SMALLEST_SQUARE = 1e-12;

/** A value over its length along axes, the batch being axis 0. */
export function toLengthOne(value: Value, axes: readonly number[]): Value {
  const square = reduceSum(mul(value, value), { axes, keepAxes: true });
  return div(value, sqrt(maximum(square, SMALLEST_SQUARE)));
}
