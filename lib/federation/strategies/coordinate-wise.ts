/**
 * Coordinate-wise median and trimmed mean (Yin, Chen, Ramchandran, Bartlett 2018, Byzantine-Robust Distributed Learning:
 * Towards Optimal Statistical Rates, arXiv 1803.01498, algorithm 1, options I and II): each parameter of the next global
 * model is the median of that parameter over the n updates, or its mean without the largest and the smallest b = ⌊β·n⌋
 * values, whatever the numbers of examples.
 */
import { middle } from '../weighted-mean.js';
import { holdUpdates, reduceCoordinates, unflatten } from './held-updates.js';
import { comparing } from './strategy-module.js';

/** The median; with an even number of updates the mean of the middle two. Less than half of them may be arbitrary. */
export const coordinateMedian = comparing({
  name: 'median',
  parameters: {},
  strategy: () => ({
    name: 'median',
    needsGlobal: false,
    slots: [],
    async aggregate(state, updates) {
      const held = await holdUpdates(updates, { name: 'median' });
      if (held === null) return state;
      const median = reduceCoordinates(held.vectors, middle);
      return { ...state, weights: unflatten(held.like, median), round: state.round + 1 };
    },
  }),
});

/** The trimmed mean: up to b updates of a round may be arbitrary. The default β is what Flower trims. */
export const trimmedMean = comparing({
  name: 'trimmed-mean',
  parameters: {
    // A share β below 0.5, or a number of updates b from 1.
    trim: {
      help: 'updates left out at each end, weight by weight: a share below 0.5, or a number',
      symbol: 'share',
      min: 0,
      default: 0.2,
    },
  },
  fewestUpdates: ({ trim }) => ({ updates: fewestToTrim(trim) }),
  problem: ({ trim }) =>
    trim < 0.5 || Number.isInteger(trim)
      ? undefined
      : ['trim', 'leaves nothing to average: expected a share below 0.5, or a whole number of updates'],
  strategy: ({ trim }) => ({
    name: 'trimmed-mean',
    needsGlobal: false,
    slots: [],
    async aggregate(state, updates) {
      const held = await holdUpdates(updates, { name: 'trimmed-mean', minUpdates: fewestToTrim(trim) });
      if (held === null) return state;
      const cut = trimmedCount(trim, held.vectors.length);
      const mean = reduceCoordinates(held.vectors, (sorted) =>
        meanOf(sorted.subarray(cut, sorted.length - cut)),
      );
      return { ...state, weights: unflatten(held.like, mean), round: state.round + 1 };
    },
  }),
});

/** How many of `count` updates are left out on each side. */
function trimmedCount(trim: number, count: number): number {
  return trim < 1 ? Math.floor(trim * count) : trim;
}

/** Fewest updates of which something is left out and something remains. */
function fewestToTrim(trim: number): number {
  if (trim >= 1) return 2 * trim + 1;
  if (trim === 0) return 1;
  const about = Math.ceil(1 / trim);
  return trimmedCount(trim, about) >= 1 ? about : about + 1;
}

function meanOf(values: Float32Array): number {
  let sum = 0;
  for (let at = 0; at < values.length; at++) sum += values[at] as number;
  return sum / values.length;
}
