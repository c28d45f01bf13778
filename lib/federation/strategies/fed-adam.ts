/** FedAdam (Reddi et al. 2021, arXiv 2003.00295, algorithm 2): v_t = β₂·v_{t−1} + (1−β₂)·Δ_t². */
import { type AdaptiveSettings, adaptiveStep } from './adaptive-step.js';
import type { ServerStep } from './server-step.js';

/** Parameters of FedAdam and FedYogi. */
export interface SecondMomentSettings extends AdaptiveSettings {
  /** β₂, decay of the second moment, from 0 to less than 1. */
  readonly beta2: number;
}

/** FedAdam. */
export function fedAdam({ beta2, ...settings }: SecondMomentSettings): ServerStep {
  return adaptiveStep(settings, (v, deltaSquared) => beta2 * v + (1 - beta2) * deltaSquared);
}
