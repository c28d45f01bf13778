/** How many numbers of an array lie where: what TensorBoard draws of the weights. */

/** HistogramProto: the first bucket begins at `min`, each ends at its limit, the last one at `max`. */
export interface ValueHistogram {
  readonly min: number;
  readonly max: number;
  readonly count: number;
  readonly sum: number;
  readonly sumOfSquares: number;
  readonly limits: readonly number[];
  readonly counts: readonly number[];
}

/** As many as TensorFlow's own summaries have. */
const BUCKETS = 30;

/** Counts the finite numbers in buckets of one width; undefined where there is none. */
export function histogramOf(values: Float32Array): ValueHistogram | undefined {
  let [min, max, count, sum, sumOfSquares] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0, 0, 0];
  for (const value of values) {
    if (!Number.isFinite(value)) continue;
    if (value < min) min = value;
    if (value > max) max = value;
    count++;
    sum += value;
    sumOfSquares += value * value;
  }
  if (count === 0) return undefined;
  const width = (max - min) / BUCKETS;
  const figures = { min, max, count, sum, sumOfSquares };
  if (width === 0) return { ...figures, limits: [max], counts: [count] };
  const counts = new Array<number>(BUCKETS).fill(0);
  for (const value of values) {
    if (!Number.isFinite(value)) continue;
    const bucket = Math.min(BUCKETS - 1, Math.floor((value - min) / width));
    counts[bucket] = (counts[bucket] as number) + 1;
  }
  const limits = counts.map((_, bucket) => (bucket === BUCKETS - 1 ? max : min + width * (bucket + 1)));
  return { ...figures, limits, counts };
}
