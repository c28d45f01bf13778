/** FedAdam (Reddi et al. 2021, arXiv 2003.00295, algorithm 2): v_t = β₂·v_{t−1} + (1−β₂)·Δ_t². */
import { adaptiveStep, secondMomentParameters } from './adaptive-step.js';
import { averaging } from './strategy-module.js';

/** FedAdam. */
export const fedAdam = averaging({
  name: 'fedadam',
  parameters: secondMomentParameters(),
  step: (values) => {
    const { beta2 } = values;
    return adaptiveStep(values, (v, deltaSquared) => beta2 * v + (1 - beta2) * deltaSquared);
  },
});
