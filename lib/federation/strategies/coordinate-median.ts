/**
 * Coordinate-wise median (Yin, Chen, Ramchandran, Bartlett 2018, Byzantine-Robust Distributed Learning: Towards Optimal
 * Statistical Rates, arXiv 1803.01498, algorithm 1, option I): each parameter of the next global model is the median
 * of that parameter over the updates, whatever their numbers of examples.
 */
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

function middle(sorted: Float32Array): number {
  const upper = sorted.length >> 1;
  const above = sorted[upper] as number;
  return sorted.length % 2 === 1 ? above : ((sorted[upper - 1] as number) + above) / 2;
}
