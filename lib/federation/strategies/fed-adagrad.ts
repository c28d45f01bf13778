/** FedAdagrad (Reddi et al. 2021, arXiv 2003.00295, algorithm 2): v_t = v_{t−1} + Δ_t². */
import { type AdaptiveSettings, adaptiveStep } from './adaptive-step.js';
import type { ServerStep } from './server-step.js';

/** FedAdagrad: nothing is forgotten, so that steps become smaller and smaller. */
export function fedAdagrad(settings: AdaptiveSettings): ServerStep {
  return adaptiveStep(settings, (v, deltaSquared) => v + deltaSquared);
}
