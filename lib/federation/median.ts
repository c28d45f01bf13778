/**
 * The median: as long as less than half of some numbers are arbitrary, it lies between two of the others, whatever they
 * are. (Of an even count both numbers in the middle do.)
 */

/** The middle one of numbers in ascending order; of an even count the mean of the two in the middle. NaN of none. */
export function middle(sorted: Float32Array | Float64Array): number {
  const upper = sorted.length >> 1;
  const above = sorted[upper] ?? Number.NaN;
  return sorted.length % 2 === 1 ? above : ((sorted[upper - 1] ?? Number.NaN) + above) / 2;
}

/** The middle one of numbers in any order. */
export function medianOfNumbers(values: readonly number[]): number {
  return middle(Float64Array.from(values).sort());
}
