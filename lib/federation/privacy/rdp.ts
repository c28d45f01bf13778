/**
 * Rényi differential privacy of one round: the Gaussian mechanism on a random part of the clients. Each function gives
 * (α − 1) times the Rényi divergence of order α, a log moment; `sigma` is the noise in units of the sensitivity.
 */

/** Largest order that is looked at. */
export const MAX_ORDER = 256;

/** Log moments of one round at the whole orders: element α is that of order α; those of 0 and 1 are 0. */
export type LogMoments = readonly number[];

/**
 * Each client takes part with probability `share`, independently; neighbours differ in one client being there or not
 * (Mironov, Talwar, Zhang 2019, Rényi Differential Privacy of the Sampled Gaussian Mechanism, arXiv 1908.10530,
 * section 3.3): log Σ_k C(α,k) (1−q)^(α−k) q^k exp((k²−k)/(2σ²)).
 */
export function poissonLogMoments(share: number, sigma: number): LogMoments {
  return logMoments(share, sigma, (order) => {
    const terms: number[] = [];
    for (let k = 0; k <= order; k++) {
      const chance = (order - k) * Math.log1p(-share) + k * Math.log(share);
      terms.push(logBinomial(order, k) + chance + gaussianLogMoment(k, sigma));
    }
    return logSum(terms);
  });
}

/**
 * Exactly that share of the clients takes part, drawn without replacement; neighbours differ in one client's data being
 * other data (Wang, Balle, Kasiviswanathan 2019, Subsampled Rényi Differential Privacy and Analytical Moments
 * Accountant, arXiv 1808.00087, theorem 27): log(1 + Σ_{j≥2} C(α,j) γ^j min(4·√(B⌊j⌋·B⌈j⌉), 2·exp((j−1)·ε(j)))) with
 * B of the even numbers next to j.
 */
export function fixedSizeLogMoments(share: number, sigma: number): LogMoments {
  const even = evenMoments(sigma);
  return logMoments(share, sigma, (order) => {
    const terms = [0];
    for (let j = 2; j <= order; j++) {
      const [below, above] = [even[j >> 1] as number, even[(j + 1) >> 1] as number];
      const bound = Math.min(Math.log(4) + (below + above) / 2, Math.log(2) + gaussianLogMoment(j, sigma));
      terms.push(logBinomial(order, j) + j * Math.log(share) + bound);
    }
    return logSum(terms);
  });
}

/** Without a choice among clients both are the Gaussian mechanism itself. */
function logMoments(share: number, sigma: number, ofOrder: (order: number) => number): LogMoments {
  return Array.from({ length: MAX_ORDER + 1 }, (_, order) => {
    if (order <= 1) return 0;
    const whole = gaussianLogMoment(order, sigma);
    return share >= 1 ? whole : Math.min(whole, ofOrder(order));
  });
}

/** log E[(p/q)^k] for p = N(1, σ²) and q = N(0, σ²), under q. */
function gaussianLogMoment(k: number, sigma: number): number {
  return (k * (k - 1)) / (2 * sigma * sigma);
}

/**
 * log B(2i) at index i, with B(l) = E[(p/q − 1)^l]: the finite difference of the paper, which as a sum of alternating
 * terms would lose all of its digits. As an integral of positive values it loses none; its integrand is a sum of
 * normal densities of width σ, for which the trapezoidal rule at a step of σ/8 is exact to the last digit.
 */
function evenMoments(sigma: number): readonly number[] {
  const step = sigma / 8;
  return Array.from({ length: MAX_ORDER / 2 + 1 }, (_, i) => {
    // With so little noise the other bound is the lower one, and the integral would take millions of steps.
    if (sigma < 0.05) return Infinity;
    const terms: number[] = [];
    // The bulk lies around 0 and around l, where p^l/q^(l−1) has its mean.
    for (let x = -12 * sigma; x <= 2 * i + 12 * sigma; x += step) {
      const exponent = (2 * x - 1) / (2 * sigma * sigma);
      const logRatio = exponent > 30 ? exponent : Math.log(Math.abs(Math.expm1(exponent)));
      terms.push(2 * i * logRatio - (x / sigma) ** 2 / 2);
    }
    return i === 0 ? 0 : logSum(terms) + Math.log(step / (sigma * Math.sqrt(2 * Math.PI)));
  });
}

function logSum(terms: readonly number[]): number {
  const largest = terms.reduce((most, term) => Math.max(most, term), -Infinity);
  if (largest === -Infinity) return largest;
  return largest + Math.log(terms.reduce((sum, term) => sum + Math.exp(term - largest), 0));
}

/** log n! for n up to the largest order. */
const LOG_FACTORIALS = Array.from({ length: MAX_ORDER + 1 }, () => 0);
for (let n = 2; n <= MAX_ORDER; n++) LOG_FACTORIALS[n] = (LOG_FACTORIALS[n - 1] as number) + Math.log(n);

function logBinomial(n: number, k: number): number {
  const [all, chosen, left] = [LOG_FACTORIALS[n], LOG_FACTORIALS[k], LOG_FACTORIALS[n - k]] as number[];
  return (all as number) - (chosen as number) - (left as number);
}
