/** FedYogi (Reddi et al. 2021, arXiv 2003.00295, algorithm 2): v_t = v_{t−1} − (1−β₂)·Δ_t²·sign(v_{t−1} − Δ_t²). */
import { adaptiveStep, secondMomentParameters } from './adaptive-step.js';
import { averaging } from './strategy-module.js';

/** FedYogi: like FedAdam, but a large v comes down slowly, so that rare large steps do not make later ones large. */
export const fedYogi = averaging({
  name: 'fedyogi',
  parameters: secondMomentParameters(),
  step: (values) => {
    const { beta2 } = values;
    return adaptiveStep(
      values,
      (v, deltaSquared) => v - (1 - beta2) * deltaSquared * Math.sign(v - deltaSquared),
    );
  },
});
