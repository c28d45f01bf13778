/**
 * Norm clipping of updates, around any strategy: a client's difference Δ from the global model counts as
 * Δ · min(1, S/‖Δ‖), with the Euclidean norm over all of its parameters (McMahan et al. 2018, arXiv 1710.06963, flat
 * clipping; as a defence: Sun et al. 2019, Can You Really Backdoor Federated Learning?, arXiv 1911.07963).
 */
import type { WeightArray, Weights } from '../../core/weights.js';
import type { Strategy, Updates, WeightedUpdate } from './strategy.js';

/**
 * `strategy` over updates whose distance from the global model is clipped to `maxNorm` > 0. Groups' sums are of updates
 * that were clipped before they were added up.
 */
export function clipNorm(strategy: Strategy, maxNorm: number): Strategy {
  return {
    ...strategy,
    needsGlobal: true,
    aggregate: (state, updates) => strategy.aggregate(state, clipped(updates, state.weights, maxNorm)),
  };
}

/** The Euclidean distance of two models with the same arrays. */
export function distance(weights: Weights, from: Weights): number {
  let sum = 0;
  weights.forEach(({ values }, index) => {
    const origin = (from[index] as WeightArray).values;
    for (let at = 0; at < values.length; at++) sum += ((values[at] as number) - (origin[at] as number)) ** 2;
  });
  return Math.sqrt(sum);
}

/** The factor min(1, S/‖Δ‖) by which an update's difference from the global model counts. */
export function clipScale({ weights, from, maxNorm }: ClipOptions): number {
  const norm = distance(weights, from);
  return norm > maxNorm ? maxNorm / norm : 1;
}

/** One update, the global model that it started from, and the norm that its difference may have. */
interface ClipOptions {
  readonly weights: Weights;
  readonly from: Weights;
  readonly maxNorm: number;
}

/** The updates, their distance from the global model clipped to `maxNorm`. */
export async function* clipped(
  updates: Updates,
  global: Weights,
  maxNorm: number,
): AsyncGenerator<WeightedUpdate> {
  for await (const update of updates) {
    const { weights } = update;
    const scale = clipScale({ weights, from: global, maxNorm });
    yield scale === 1 ? update : { ...update, weights: scaled(weights, global, scale) };
  }
}

function scaled(weights: Weights, global: Weights, scale: number): Weights {
  return weights.map(({ name, shape, values }, index) => {
    const origin = (global[index] as WeightArray).values;
    return {
      name,
      shape,
      values: values.map((value, at) => {
        const from = origin[at] as number;
        return from + scale * (value - from);
      }),
    };
  });
}
