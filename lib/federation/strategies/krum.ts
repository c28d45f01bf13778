/**
 * Krum and multi-Krum (Blanchard, El Mhamdi, Guerraoui, Stainer 2017, Machine Learning with Adversaries: Byzantine
 * Tolerant Gradient Descent, NIPS): of n updates, up to f of them arbitrary, n ≥ 2f + 3, each has the score
 * s(i) = Σ ‖w_i − w_j‖² over the n − f − 2 updates j that are closest to it. Krum takes the update with the lowest
 * score as the next global model; multi-Krum the plain mean of the m with the lowest scores.
 */

import type { Weights } from '../../core/weights.js';
import { createWeightedMean, rounded } from '../weighted-mean.js';
import { holdUpdates, unflatten } from './held-updates.js';
import type { Strategy } from './strategy.js';
import { comparing, type FewestUpdates, type StrategyParameter } from './strategy-module.js';

const BYZANTINE = {
  help: 'updates of a round that may be arbitrary',
  symbol: 'f',
  isWhole: true,
  min: 0,
  default: 1,
} satisfies StrategyParameter;

/** Krum: one client's update becomes the global model. */
export const krum = comparing({
  name: 'krum',
  parameters: { byzantine: BYZANTINE },
  fewestUpdates: ({ byzantine }) => fewest(byzantine),
  strategy: ({ byzantine }) =>
    krumStrategy({ name: 'krum', byzantine, minUpdates: fewest(byzantine).updates }, () => 1),
});

/** Multi-Krum; by default n − f − 2 updates are averaged, as in El Mhamdi et al. 2018 (arXiv 1802.07927). */
export const multiKrum = comparing({
  name: 'multi-krum',
  parameters: {
    byzantine: BYZANTINE,
    keep: {
      help: 'updates that multi-krum averages',
      symbol: 'm',
      isWhole: true,
      min: 1,
      otherwise: 'n - f - 2 of n',
      fullName: 'krumKeep',
    },
  },
  fewestUpdates: ({ byzantine, keep }) => fewest(byzantine, keep),
  strategy: ({ byzantine, keep }) =>
    krumStrategy(
      { name: 'multi-krum', byzantine, minUpdates: fewest(byzantine, keep).updates },
      (count) => keep ?? count - byzantine - 2,
    ),
});

function fewest(byzantine: number, keep?: number): FewestUpdates {
  const compared = 2 * byzantine + 3;
  if (keep === undefined) return { updates: compared, formula: '2f + 3' };
  return { updates: Math.max(compared, keep + byzantine + 2), formula: '2f + 3, m + f + 2' };
}

interface KrumRule {
  readonly name: string;
  readonly byzantine: number;
  readonly minUpdates: number;
}

function krumStrategy(
  { name, byzantine, minUpdates }: KrumRule,
  keepOf: (count: number) => number,
): Strategy {
  return {
    name,
    needsGlobal: false,
    slots: [],
    async aggregate(state, updates) {
      const held = await holdUpdates(updates, { name, minUpdates });
      if (held === null) return state;
      const { like, vectors } = held;
      const scores = krumScores(vectors, byzantine);
      const best = [...vectors.keys()].sort((a, b) => (scores[a] as number) - (scores[b] as number) || a - b);
      // Averaged in the order of the clients, like everywhere: the order decides the last bits.
      const kept = best.slice(0, keepOf(vectors.length)).sort((a, b) => a - b);
      const models = kept.map((index) => unflatten(like, vectors[index] as Float32Array));
      return { ...state, weights: plainMean(models), round: state.round + 1 };
    },
  };
}

function krumScores(vectors: readonly Float32Array[], byzantine: number): readonly number[] {
  const distances = vectors.map(() => new Float64Array(vectors.length));
  for (let i = 0; i < vectors.length; i++) {
    for (let j = 0; j < i; j++) {
      const distance = squaredDistance(vectors[i] as Float32Array, vectors[j] as Float32Array);
      (distances[i] as Float64Array)[j] = distance;
      (distances[j] as Float64Array)[i] = distance;
    }
  }
  return distances.map((row, own) => {
    const closest = row.filter((_, other) => other !== own).sort();
    return closest.subarray(0, vectors.length - byzantine - 2).reduce((sum, distance) => sum + distance, 0);
  });
}

function squaredDistance(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let at = 0; at < a.length; at++) {
    const difference = (a[at] as number) - (b[at] as number);
    sum += difference * difference;
  }
  return sum;
}

function plainMean(models: readonly Weights[]): Weights {
  const mean = createWeightedMean(models[0] as Weights);
  for (const model of models) mean.add(model, 1);
  return rounded(mean.value());
}
