/**
 * Norm clipping of updates, around any strategy: a client's difference Δ from the global model counts as
 * Δ · min(1, S/‖Δ‖), with the Euclidean norm over all of its parameters (McMahan et al. 2018, arXiv 1710.06963, flat
 * clipping; as a defence: Sun et al. 2019, Can You Really Backdoor Federated Learning?, arXiv 1911.07963).
 *
 * S may be the median of the round's own ‖Δ_k‖ (the rule by which McMahan et al. chose S, section 3; Andrew et al. 2021,
 * Differentially Private Learning with Adaptive Clipping, arXiv 1905.03871, follow that quantile privately). As long as
 * less than half of the updates are arbitrary, it lies between two norms of the others, whatever those are.
 */
import type { WeightArray, Weights } from '../../core/weights.js';
import { medianOfNumbers } from '../weighted-mean.js';
import { copyUpdates } from './held-updates.js';
import type { Strategy, Updates, WeightedUpdate } from './strategy.js';

/** The word for a norm that is the median of those of the round's updates. */
export const AUTO = 'auto';

/** S > 0, or the word for the median. */
export type ClipNorm = number | 'auto';

/**
 * `strategy` over updates whose distance from the global model is clipped to `maxNorm`. Groups' sums are of updates that
 * were clipped before they were added up; the median is known when all updates of a round are there, which are held until
 * then.
 */
export function clipNorm(strategy: Strategy, maxNorm: ClipNorm): Strategy {
  if (maxNorm !== AUTO) {
    return {
      ...strategy,
      needsGlobal: true,
      isElementwise: false,
      aggregate: (state, updates) => strategy.aggregate(state, clipped(updates, state.weights, maxNorm)),
    };
  }
  const { aggregateGroups: _, ...rest } = strategy;
  return {
    ...rest,
    needsGlobal: true,
    isElementwise: false,
    async aggregate(state, updates) {
      const held = await copyUpdates(updates, { who: 'Clipping to the median norm' });
      const norm = medianOfNumbers(held.map(({ weights }) => distance(weights, state.weights)));
      return strategy.aggregate(state, clipped(released(held), state.weights, norm));
    },
  };
}

/** Gives each update away once, so that whoever takes it is the only one who holds it. */
function* released(held: WeightedUpdate[]): Generator<WeightedUpdate> {
  held.reverse();
  for (let next = held.pop(); next !== undefined; next = held.pop()) yield next;
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
