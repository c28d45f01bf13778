/**
 * Krum and multi-Krum (Blanchard, El Mhamdi, Guerraoui, Stainer 2017, Machine Learning with Adversaries: Byzantine
 * Tolerant Gradient Descent, NIPS): of n updates, up to f of them arbitrary, n ≥ 2f + 3, each has the score
 * s(i) = Σ ‖w_i − w_j‖² over the n − f − 2 updates j that are closest to it. Krum takes the update with the lowest
 * score as the next global model; multi-Krum the plain mean of the m with the lowest scores.
 */
import { createWeightedMean, rounded } from '../weighted-mean.js';
import type { Weights } from '../weights.js';
import { holdUpdates, unflatten } from './held-updates.js';
import type { Strategy } from './strategy.js';
import { fewestUpdates, type StrategyRule } from './strategy-settings.js';

/** Krum's parameters. */
export interface KrumSettings {
  /** f, how many of a round's updates may be arbitrary. */
  readonly byzantine: number;
}

/** Multi-Krum's parameters. */
export interface MultiKrumSettings extends KrumSettings {
  /** m, how many are averaged; by default n − f − 2, as in El Mhamdi et al. 2018 (arXiv 1802.07927). */
  readonly keep?: number | undefined;
}

/** Krum: one client's update becomes the global model. */
export function krum({ byzantine }: KrumSettings): Strategy {
  return krumStrategy({ name: 'krum', byzantine }, () => 1);
}

/** Multi-Krum. */
export function multiKrum({ byzantine, keep }: MultiKrumSettings): Strategy {
  return krumStrategy({ name: 'multi-krum', byzantine, keep }, (count) => keep ?? count - byzantine - 2);
}

type KrumRule = Extract<StrategyRule, KrumSettings>;

function krumStrategy(rule: KrumRule, keepOf: (count: number) => number): Strategy {
  const { name, byzantine } = rule;
  return {
    name,
    needsGlobal: false,
    slots: [],
    async aggregate(state, updates) {
      const held = await holdUpdates(updates, { name, minUpdates: fewestUpdates(rule) });
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
