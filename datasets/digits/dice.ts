/** Rolls the choices of a shape: ranges, bell curves and weighted picks over one random stream. */
import type { RandomStream } from '../../lib/core/random.js';

/** The ways in which a shape asks for chance. */
export interface Dice {
  /** Evenly spread over [low, high). */
  between(low: number, high: number): number;
  /** Bell-shaped around `mean`, never further away than two `spread`s. */
  around(mean: number, spread: number): number;
  /** True with `probability`. */
  happens(probability: number): boolean;
  /** One of `options`, each as likely as its weight says. */
  pick<T>(options: readonly (readonly [weight: number, option: T])[]): T;
}

/** The furthest that a bell-shaped roll strays, in spreads; beyond it digits stop being readable. */
const FURTHEST_SPREADS = 2;

/** Dice that roll numbers of `random`. */
export function createDice(random: RandomStream): Dice {
  return {
    between: (low, high) => low + (high - low) * random.uniform(),
    around: (mean, spread) =>
      mean + spread * Math.max(-FURTHEST_SPREADS, Math.min(FURTHEST_SPREADS, random.normal())),
    happens: (probability) => random.uniform() < probability,
    pick: (options) => {
      let left = random.uniform() * options.reduce((sum, [weight]) => sum + weight, 0);
      for (const [weight, option] of options) {
        left -= weight;
        if (left < 0) return option;
      }
      return (options.at(-1) as (typeof options)[number])[1];
    },
  };
}
