/** What the normalisations within one example have in common: their settings, and their forward pass. */
import { add, div, mul, sub } from '../primitives/arithmetic.js';
import type { ParameterValue } from '../primitives/differentiated.js';
import { sqrt } from '../primitives/elementwise.js';
import { reduceMean } from '../primitives/reductions.js';
import type { Value } from '../primitives/value.js';
import type { LayerParameter } from './layer-module.js';
import { flag, numberWithin } from './settings.js';

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

/** Moved and scaled to mean 0 and variance 1 over axes. */
export function standardize(x: Value, axes: readonly number[], epsilon: number): Value {
  const centered = sub(x, reduceMean(x, { axes, keepAxes: true }));
  const variance = reduceMean(mul(centered, centered), { axes, keepAxes: true });
  return div(centered, sqrt(add(variance, epsilon)));
}

/** gamma · x + beta, of which `place` brings the parameters into a shape that fits x. */
export function scaleAndShift(
  { center, scale }: Affine,
  x: Value,
  place: (parameter: Value) => Value,
  { parameter, shape }: { readonly parameter: ParameterValue; readonly shape: readonly number[] },
): Value {
  const scaled = scale ? mul(x, place(parameter('gamma', shape))) : x;
  return center ? add(scaled, place(parameter('beta', shape))) : scaled;
}
