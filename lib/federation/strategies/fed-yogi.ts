/** FedYogi (Reddi et al. 2021, arXiv 2003.00295, algorithm 2): v_t = v_{t−1} − (1−β₂)·Δ_t²·sign(v_{t−1} − Δ_t²). */
import { adaptiveStep } from './adaptive-step.js';
import type { SecondMomentSettings } from './fed-adam.js';
import type { ServerStep } from './server-step.js';

/** FedYogi: like FedAdam, but a large v comes down slowly, so that rare large steps do not make later ones large. */
export function fedYogi({ beta2, ...settings }: SecondMomentSettings): ServerStep {
  return adaptiveStep(
    settings,
    (v, deltaSquared) => v - (1 - beta2) * deltaSquared * Math.sign(v - deltaSquared),
  );
}
