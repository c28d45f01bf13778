/**
 * A running weighted mean of model weights: one model in memory at a time, whatever their number. Its sums are exact
 * until the end, so that the mean is the same bytes for any order, and for any grouping of what is averaged. And the
 * median of numbers.
 */
import { createExactSums } from '../core/exact-sum.js';
import { sizeOf, type WeightArray, type Weights } from '../core/weights.js';

/** An array of a mean before it is rounded. */
export interface MeanArray extends Pick<WeightArray, 'name' | 'shape'> {
  /** Row-major; length is the product of `shape`. */
  readonly values: Float64Array;
}

/** A mean of models, in the order of their arrays. */
export type Mean = readonly MeanArray[];

/** Σ n_k · w^k of one array, exactly. */
export interface SumArray extends Pick<WeightArray, 'name' | 'shape'> {
  /** Arrays that add up to the sum, row-major; the first is the sum rounded to float64. */
  readonly parts: readonly Float64Array[];
}

/** What a mean is the quotient of: the sums of a group of models, to be added to those of other groups. */
export interface WeightedSums {
  readonly arrays: readonly SumArray[];
  /** Σ n_k. */
  readonly totalWeight: number;
}

/** An array that is added up; `factor` times, where that is given, beside what its update counts. */
export interface Term extends Pick<WeightArray, 'name' | 'shape'> {
  readonly values: Float32Array | Float64Array;
  readonly factor?: number;
}

/** Collects models and gives their weighted mean. */
export interface WeightedMean {
  /** Adds the arrays of a model that counts `weight` > 0. */
  add(terms: readonly Term[], weight: number): void;
  /** Adds the models of a group: the same as adding one after the other. */
  addSums(sums: WeightedSums): void;
  /** What was added, for a mean elsewhere to go on with. The same models give the same sums. */
  sums(): WeightedSums;
  /**
   * The mean of what was added: its sums rounded to float64 once, divided by the weight. Of equal models it is exactly
   * that model (-0 becomes 0) as long as the whole weights sum to less than 2^29.
   */
  value(): Mean;
  /** Sum of what was added counts. */
  totalWeight(): number;
}

/** A mean of nothing yet, of models with the names and shapes of `like`, whose values are not used. */
export function createWeightedMean(like: readonly Pick<WeightArray, 'name' | 'shape'>[]): WeightedMean {
  const sums = like.map(({ shape }) => createExactSums(sizeOf(shape)));
  let totalWeight = 0;
  return {
    add(terms, weight) {
      for (const [index, sum] of sums.entries()) {
        const { values, factor = 1 } = terms[index] as Term;
        sum.add(values, weight * factor);
      }
      totalWeight += weight;
    },
    addSums(group) {
      for (const [index, sum] of sums.entries()) {
        for (const part of (group.arrays[index] as SumArray).parts) sum.add(part);
      }
      totalWeight += group.totalWeight;
    },
    sums: () => ({
      arrays: like.map(({ name, shape }, index) => ({ name, shape, parts: sums[index]?.parts() ?? [] })),
      totalWeight,
    }),
    value: () =>
      like.map(({ name, shape }, index) => {
        const values = sums[index]?.rounded() ?? new Float64Array();
        for (let at = 0; at < values.length; at++) values[at] = (values[at] as number) / totalWeight;
        return { name, shape, values };
      }),
    totalWeight: () => totalWeight,
  };
}

/** A mean rounded to float32, as models are stored. */
export function rounded(mean: Mean): Weights {
  return mean.map(({ name, shape, values }) => ({ name, shape, values: new Float32Array(values) }));
}

/**
 * The middle one of numbers in ascending order; of an even count the mean of the two in the middle. NaN of none. As long
 * as less than half of the numbers are arbitrary, it lies between two of the others, whatever they are.
 */
export function middle(sorted: Float32Array | Float64Array): number {
  const upper = sorted.length >> 1;
  const above = sorted[upper] ?? Number.NaN;
  return sorted.length % 2 === 1 ? above : ((sorted[upper - 1] ?? Number.NaN) + above) / 2;
}

/** The middle one of numbers in any order. */
export function medianOfNumbers(values: readonly number[]): number {
  return middle(Float64Array.from(values).sort());
}
