/** Random proportions: draws of the symmetric Dirichlet distribution. */
import { randomGamma } from 'd3-random';
import type { RandomStream } from '../../core/random.js';

/** Keeps log(U) / α finite; with it, and below it, one part has everything. */
const SMALLEST_ALPHA = 1e-100;

/** Draws of Dir(α, …, α). */
interface DirichletDraws {
  /** The proportions of the parts for which `takesPart` holds (all, by default); those of others are 0. They sum to 1. */
  next(takesPart?: (part: number) => boolean): Float64Array;
}

/**
 * Draws of the Dirichlet distribution over `parts` parts: gamma numbers (Marsaglia and Tsang 2000), divided by their
 * sum. They are kept as logarithms, since with a small α nearly all of them are too small for a double.
 */
export function dirichletDraws(alpha: number, parts: number, random: RandomStream): DirichletDraws {
  const shape = Math.max(alpha, SMALLEST_ALPHA);
  const gammaAbove = randomGamma.source(random.uniform)(shape + 1);
  // G(α) = G(α + 1) · U^(1/α), so log G(α) = log G(α + 1) + log(U) / α.
  const logGamma = () => Math.log(gammaAbove()) + Math.log(1 - random.uniform()) / shape;
  return {
    next(takesPart = () => true) {
      const logs = Float64Array.from({ length: parts }, logGamma);
      for (let part = 0; part < parts; part++) if (!takesPart(part)) logs[part] = -Infinity;
      const largest = logs.reduce((max, each) => Math.max(max, each), -Infinity);
      const sizes = logs.map((each) => Math.exp(each - largest));
      const sum = sizes.reduce((total, each) => total + each, 0);
      return sizes.map((each) => each / sum);
    },
  };
}
