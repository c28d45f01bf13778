/**
 * A clipping norm that follows a quantile of the updates' norms, found privately (Andrew, Thakkar, McMahan, Ramaswamy
 * 2021, Differentially Private Learning with Adaptive Clipping, arXiv 1905.03871, algorithm 1). Each client tells one bit,
 * b = 1 where ‖Δ‖ ≤ C; with noise on their number the norm moves geometrically: C ← C · exp(−η_C · (b̃ − γ)).
 */

/** How the norm moves. */
export interface AdaptiveClip {
  /** γ, the share of updates that are to have a norm of at most C. */
  readonly quantile: number;
  /** η_C */
  readonly learningRate: number;
  /** σ_b, the standard deviation of the noise on the number of bits; by default m/20. */
  readonly countNoise?: number | undefined;
}

/** The paper's step size of the norm. */
export const CLIP_LEARNING_RATE = 0.2;

/** The paper's σ_b for m participants. */
export const countNoiseFor = (
  { countNoise }: Pick<AdaptiveClip, 'countNoise'>,
  participants: number,
): number => countNoise ?? participants / 20;

/**
 * z_Δ = (z⁻² − (2σ_b)⁻²)^(−1/2): the noise on the updates in units of C with which updates and bits together cost what
 * updates alone cost with z (theorem 1). The bit counts as ±½, so that one client moves the number by ½.
 *
 * @returns undefined where z ≥ 2σ_b: the noise on the bits is too little for any noise on the updates to make up for
 */
export function updateNoise(noise: number, countNoise: number): number | undefined {
  if (noise === 0) return 0;
  const left = noise ** -2 - (2 * countNoise) ** -2;
  return left > 0 ? left ** -0.5 : undefined;
}

/** The norm of the next round. */
export function nextClip(
  { quantile, learningRate }: AdaptiveClip,
  { clip, share }: { readonly clip: number; readonly share: number },
): number {
  return clip * Math.exp(-learningRate * (share - quantile));
}
