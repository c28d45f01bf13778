/**
 * Which updates of a round are unlike the others, for a person to look at: by how far they went, and by where they point.
 *
 * How unlike is the modified z-score of Iglewicz and Hoaglin 1993 (How to Detect and Handle Outliers, section 3):
 * 0.6745·(x − x̃)/MAD with the median x̃ and the median absolute deviation from it, or (x − x̃)/(1.2533·mean |x − x̃|) where
 * more than half are equal. Of norms it is that of their logarithms, since they differ by factors. A tight round would make
 * an outlier of a small difference: it has to be one that matters, too.
 */
import { medianOfNumbers } from './weighted-mean.js';

/** What is known of an update. */
interface Measured {
  readonly client: number;
  readonly norm?: number | undefined;
  readonly cosine?: number | undefined;
}

/** An update that is unlike the others. */
export interface OddUpdate {
  readonly client: number;
  /** Its norm in units of the median one, where that is odd. */
  readonly norm?: { readonly times: number; readonly score: number };
  /** Its cosine, where that is odd, beside the median one. */
  readonly cosine?: { readonly value: number; readonly median: number; readonly score: number };
}

/** Of ten ordinary updates 1 in 250 has a score beyond it; beyond the usual 3.5 it would be 1 in 70. */
const MAX_SCORE = 5;
/** Among fewer updates chance alone makes many a high score. */
const FEWEST_UPDATES = 6;
/** A norm this many times the median one matters, or one that is as many times smaller. */
const MATTERING_TIMES = 2;
/** So does a cosine this far from the median one. */
const MATTERING_COSINE = 0.3;
/** In place of the norm of an update that did not move, which has no logarithm. */
const LEAST_TIMES = 1e-9;
/** More are counted, not named. */
const MOST_NAMED = 3;

/** The odd ones among the updates of a round, in their order. Too few updates have none. */
export function oddUpdates(measures: readonly Measured[]): readonly OddUpdate[] {
  const norms = measures.flatMap(({ norm }) => norm ?? []);
  const middleNorm = medianOfNumbers(norms);
  const timesOf = (norm: number) => norm / middleNorm;
  const normScore = scorer(
    middleNorm > 0 ? norms.map((norm) => Math.log(Math.max(timesOf(norm), LEAST_TIMES))) : [],
  );
  const cosines = measures.flatMap(({ cosine }) => cosine ?? []);
  const middleCosine = medianOfNumbers(cosines);
  const cosineScore = scorer(cosines);
  return measures.flatMap(({ client, norm, cosine }) => {
    const odd: { -readonly [K in keyof OddUpdate]: OddUpdate[K] } = { client };
    if (norm !== undefined) {
      const times = timesOf(norm);
      const score = normScore(Math.log(Math.max(times, LEAST_TIMES)));
      const matters = times >= MATTERING_TIMES || times <= 1 / MATTERING_TIMES;
      if (matters && Math.abs(score) > MAX_SCORE) odd.norm = { times, score };
    }
    if (cosine !== undefined) {
      const score = cosineScore(cosine);
      const matters = Math.abs(cosine - middleCosine) >= MATTERING_COSINE;
      if (matters && Math.abs(score) > MAX_SCORE) odd.cosine = { value: cosine, median: middleCosine, score };
    }
    return odd.norm === undefined && odd.cosine === undefined ? [] : [odd];
  });
}

/** The modified z-score among `values`; 0 where too few are known, or all are equal. */
function scorer(values: readonly number[]): (value: number) => number {
  if (values.length < FEWEST_UPDATES) return () => 0;
  const center = medianOfNumbers(values);
  const deviations = values.map((value) => Math.abs(value - center));
  const mean = deviations.reduce((sum, each) => sum + each, 0) / deviations.length;
  const unit = medianOfNumbers(deviations) / 0.6745 || mean * 1.2533;
  return (value) => (unit > 0 ? (value - center) / unit : 0);
}

/** E.g. `client 7 (norm 10.2 times the median, robust z-score 41; cosine -0.41 beside 0.62, robust z-score -12)`. */
export function describeOdd({ client, norm, cosine }: OddUpdate): string {
  const found = [
    ...(norm === undefined ? [] : [`norm ${short(norm.times)} times the median, ${scoreText(norm)}`]),
    ...(cosine === undefined
      ? []
      : [`cosine ${cosine.value.toFixed(2)} beside ${cosine.median.toFixed(2)}, ${scoreText(cosine)}`]),
  ];
  return `client ${client} (${found.join('; ')})`;
}

/** The odd updates of a round in a line, the first of many by name; nothing where there is none. */
export function describeOddUpdates(measures: readonly Measured[]): string | undefined {
  const odd = oddUpdates(measures);
  if (odd.length === 0) return undefined;
  const named = odd.slice(0, MOST_NAMED).map(describeOdd).join(', ');
  const others = odd.length - MOST_NAMED;
  return `unlike the others: ${named}${others > 0 ? ` and ${others} more` : ''}`;
}

const scoreText = ({ score }: { readonly score: number }) => `robust z-score ${short(score)}`;

const short = (value: number) => `${Number(value.toPrecision(3))}`;
