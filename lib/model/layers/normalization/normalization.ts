/** What the normalisations have in common: their settings, their gamma and beta. */
import { add, mul } from '../../primitives/arithmetic.js';
import type { Value } from '../../primitives/value.js';
import type { LayerContext, LayerParameter } from '../layer-module.js';
import { flag, numberWithin } from '../settings.js';

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
