/** The privacy accountant: how much the global models of a run tell about one client, as (ε, δ). */
import { fixedSizeLogMoments, type LogMoments, MAX_ORDER, poissonLogMoments } from './rdp.js';

/** What was done, round after round alike. */
export interface PrivacyOptions {
  /** z, the noise on the sum of the clipped updates in units of the clipping norm. */
  readonly noise: number;
  /** m, clients selected in a round. */
  readonly participants: number;
  /** K, clients that they are selected from. */
  readonly population: number;
  readonly delta: number;
  /** Rounds so far. */
  readonly rounds: number;
  /** Of each of these that got noise more than once: how often. What hides the clients of such a round is less. */
  readonly redrawn?: readonly number[] | undefined;
}

/** The privacy spent, as differential privacy for whole clients at the stated δ. */
export interface PrivacySpent {
  /**
   * Holds for what fedbatch does: m clients drawn without replacement, neighbours that differ in all data of one client
   * (which moves the sum by twice the clipping norm at most).
   */
  readonly epsilon: number;
  /**
   * What the same noise would cost were each client to take part by a throw of its own with probability m/K, and
   * neighbours to differ in one client being there: the figure that most papers and libraries give.
   */
  readonly epsilonPoisson: number;
  readonly delta: number;
}

/** (ε, δ) after some rounds; infinite without noise. */
export function privacySpent({
  noise,
  participants,
  population,
  delta,
  rounds,
  redrawn = [],
}: PrivacyOptions): PrivacySpent {
  const share = participants / population;
  // The models of one selection are together what one model with less noise is: d of noise z tell what one of z/√d does.
  const times = [1, ...new Set(redrawn)];
  const spent = (momentsOf: (noise: number) => LogMoments) =>
    toEpsilon(
      times.map((drawn) => ({
        moments: momentsOf(noise / Math.sqrt(drawn)),
        rounds: drawn === 1 ? rounds - redrawn.length : redrawn.filter((each) => each === drawn).length,
      })),
      delta,
    );
  if (noise === 0) return { epsilon: Infinity, epsilonPoisson: Infinity, delta };
  return {
    epsilon: spent((z) => fixedSizeLogMoments(share, z / 2)),
    epsilonPoisson: spent((z) => poissonLogMoments(share, z)),
    delta,
  };
}

/** Noise is given with three significant digits. */
const NOISE_DIGITS = 3;
/** More noise than this drowns any model: so small an ε is refused, not reckoned with. */
const MAX_NOISE = 1e6;

/**
 * The least noise, rounded up to three digits, with which ε stays at or below `epsilon` (in (0, ∞)) after all rounds;
 * undefined where no noise is enough.
 */
export function noiseFor({
  epsilon,
  ...options
}: Omit<PrivacyOptions, 'noise'> & { readonly epsilon: number }): number | undefined {
  const share = options.participants / options.population;
  const isEnough = (noise: number) =>
    toEpsilon([{ moments: fixedSizeLogMoments(share, noise / 2), rounds: options.rounds }], options.delta) <=
    epsilon;
  let enough = 1;
  while (!isEnough(enough)) {
    enough *= 2;
    if (enough > MAX_NOISE) return undefined;
  }
  let tooLittle = enough / 2;
  while (isEnough(tooLittle)) [enough, tooLittle] = [tooLittle, tooLittle / 2];
  while (enough / tooLittle > 1 + 10 ** -NOISE_DIGITS / 2) {
    const middle = Math.sqrt(enough * tooLittle);
    if (isEnough(middle)) enough = middle;
    else tooLittle = middle;
  }
  const unit = 10 ** (Math.floor(Math.log10(enough)) - NOISE_DIGITS + 1);
  return Number((Math.ceil(enough / unit) * unit).toPrecision(NOISE_DIGITS));
}

/** Orders between the whole ones too: where much privacy is spent the best order lies close to 1. */
const ORDERS: readonly number[] = [
  ...Array.from({ length: 99 }, (_, tenth) => 1 + (tenth + 1) / 10),
  ...Array.from({ length: MAX_ORDER - 10 }, (_, index) => index + 11),
];

/** Rounds of equal moments. */
interface Spending {
  readonly moments: LogMoments;
  readonly rounds: number;
}

/**
 * The best ε over all orders, by the conversion of Canonne, Kamath, Steinke 2020 (The Discrete Gaussian for Differential
 * Privacy, arXiv 2004.00010, proposition 12): ε = ρ + log((α−1)/α) − (log δ + log α)/(α−1). Rounds add up.
 */
function toEpsilon(spendings: readonly Spending[], delta: number): number {
  const epsilons = ORDERS.map((order) => {
    const moment = spendings.reduce(
      (sum, { moments, rounds }) => sum + rounds * interpolated(moments, order),
      0,
    );
    const divergence = moment / (order - 1);
    return divergence + Math.log1p(-1 / order) - (Math.log(delta) + Math.log(order)) / (order - 1);
  });
  return Math.max(0, Math.min(...epsilons));
}

/** A log moment is convex in its order: the straight line between two whole orders is never below it. */
function interpolated(moments: LogMoments, order: number): number {
  const below = Math.floor(order);
  const share = order - below;
  const [low, high] = [moments[below] as number, moments[below + 1] ?? 0];
  return share === 0 ? low : (1 - share) * low + share * high;
}
