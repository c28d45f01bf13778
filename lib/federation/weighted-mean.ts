/** A running weighted mean of model weights: one model in memory at a time, whatever their number. */
import type { WeightArray, Weights } from './weights.js';

/** An array of a mean before it is rounded. */
export interface MeanArray extends Pick<WeightArray, 'name' | 'shape'> {
  /** Row-major; length is the product of `shape`. */
  readonly values: Float64Array;
}

/** A mean of models, in the order of their arrays. */
export type Mean = readonly MeanArray[];

/** Collects models and gives their weighted mean; sums are kept in float64. */
export interface WeightedMean {
  /** Adds a model that counts `weight` > 0. The order of additions can change the last bits: callers sort. */
  add(weights: Weights, weight: number): void;
  /**
   * The mean of what was added. Of equal models it is exactly that model (-0 becomes 0): products and sums of
   * float32 values with whole weights of less than 2^29 in total are exact in float64.
   */
  value(): Mean;
}

/** A mean of nothing yet, of models with the names and shapes of `like`, whose values are not used. */
export function createWeightedMean(like: Weights): WeightedMean {
  const sums = like.map(({ values }) => new Float64Array(values.length));
  let totalWeight = 0;
  return {
    add(weights, weight) {
      sums.forEach((sum, index) => {
        const { values } = weights[index] as Weights[number];
        for (let at = 0; at < sum.length; at++)
          sum[at] = (sum[at] as number) + weight * (values[at] as number);
      });
      totalWeight += weight;
    },
    value: () =>
      like.map(({ name, shape }, index) => {
        const sum = sums[index] as Float64Array;
        const values = new Float64Array(sum.length);
        for (let at = 0; at < sum.length; at++) values[at] = (sum[at] as number) / totalWeight;
        return { name, shape, values };
      }),
  };
}

/** A mean rounded to float32, as models are stored. */
export function rounded(mean: Mean): Weights {
  return mean.map(({ name, shape, values }) => ({ name, shape, values: new Float32Array(values) }));
}
