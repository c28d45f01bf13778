/**
 * Coordinate-wise trimmed mean (Yin, Chen, Ramchandran, Bartlett 2018, arXiv 1803.01498, algorithm 1, option II): of
 * each parameter the largest and the smallest b = ⌊β·n⌋ values over the n updates are left out, the others averaged,
 * whatever their numbers of examples.
 */
import { holdUpdates, reduceCoordinates, unflatten } from './held-updates.js';
import type { Strategy } from './strategy.js';
import { fewestUpdates, trimmedCount } from './strategy-settings.js';

/** The trimmed mean's parameter. */
export interface TrimmedMeanSettings {
  /** What is left out on each side: a share β below 0.5, or a number of updates b from 1. */
  readonly trim: number;
}

/** The trimmed mean: up to b updates of a round may be arbitrary. */
export function trimmedMean({ trim }: TrimmedMeanSettings): Strategy {
  const name = 'trimmed-mean';
  return {
    name,
    needsGlobal: false,
    slots: [],
    async aggregate(state, updates) {
      const held = await holdUpdates(updates, { name, minUpdates: fewestUpdates({ name, trim }) });
      if (held === null) return state;
      const cut = trimmedCount(trim, held.vectors.length);
      const mean = reduceCoordinates(held.vectors, (sorted) =>
        meanOf(sorted.subarray(cut, sorted.length - cut)),
      );
      return { ...state, weights: unflatten(held.like, mean), round: state.round + 1 };
    },
  };
}

function meanOf(values: Float32Array): number {
  let sum = 0;
  for (let at = 0; at < values.length; at++) sum += values[at] as number;
  return sum / values.length;
}
