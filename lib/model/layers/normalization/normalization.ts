/** What the normalisations have in common: their settings, their axes, their gamma and beta. */

import { ModelError } from '../../../core/errors.js';
import { formatShape } from '../../../core/weights.js';
import { add, mul } from '../../primitives/arithmetic.js';
import type { Value } from '../../primitives/value.js';
import type { LayerContext, LayerParameter } from '../layer-module.js';
import { flag, numberWithin, setting } from '../settings.js';

/** Of every normalisation. */
export const normalizationSettings = {
  epsilon: numberWithin({
    keys: ['epsilon'],
    expected: 'a number of at least 0',
    fallback: 1e-3,
    isIn: (epsilon) => epsilon >= 0,
  }),
  /** Whether there is a beta. */
  center: flag('center'),
  /** Whether there is a gamma. */
  scale: flag('scale'),
};

/** Axes that are normalised over, as Keras counts, the batch being axis 0; -1 are the channels. */
export const normalizedOver = setting<readonly number[]>({
  keys: ['axis'],
  expected: 'the numbers of one or more axes',
  fallback: [-1],
  parse(value) {
    const axes = [value].flat();
    return axes.length > 0 && axes.every(Number.isSafeInteger) ? (axes as readonly number[]) : undefined;
  },
});

interface Affine {
  readonly center: boolean;
  readonly scale: boolean;
}

/** The gamma and beta that a normalisation has. */
export function gammaAndBeta({ center, scale }: Affine, shape: readonly number[]): readonly LayerParameter[] {
  const gamma = { role: 'gamma', shape, initial: 'ones' } as const;
  const beta = { role: 'beta', shape, initial: 'zeros' } as const;
  return [...(scale ? [gamma] : []), ...(center ? [beta] : [])];
}

/** gamma · x + beta, of which `place` brings the parameters into a shape that fits x. */
export function scaleAndShift(
  { center, scale }: Affine,
  x: Value,
  place: (parameter: Value) => Value,
  { parameter }: Pick<LayerContext, 'parameter'>,
): Value {
  const scaled = scale ? mul(x, place(parameter('gamma'))) : x;
  return center ? add(scaled, place(parameter('beta'))) : scaled;
}

/** A layer that works along axes, as Keras counts them: the batch is axis 0. */
interface AlongAxes {
  readonly name: string;
  readonly axis: number | readonly number[];
}

/**
 * Which extents of a layer's input, given without the batch, its axes are.
 *
 * @throws {ModelError} where the input has no such axes
 */
export function placesOfAxes(
  className: string,
  layer: AlongAxes,
  input: readonly number[],
): readonly number[] {
  const places = [layer.axis].flat().map((each) => (each < 0 ? input.length + each : each - 1));
  if (places.some((at) => input[at] === undefined)) throw unfitAxes(className, layer, input);
  return places;
}

/** What is said of axes that an input does not have, or not so. */
export const unfitAxes = (
  className: string,
  { name, axis }: AlongAxes,
  input: readonly number[],
): ModelError =>
  new ModelError(
    `layer ${name}: ${className} with axis ${[axis].flat().join(', ')} is not possible, its input is ${formatShape(input)} behind the axis of the batch`,
  );
