/** FedAdagrad (Reddi et al. 2021, arXiv 2003.00295, algorithm 2): v_t = v_{t−1} + Δ_t². */
import { adaptiveParameters, adaptiveStep } from './adaptive-step.js';
import { averaging } from './strategy-module.js';

/** FedAdagrad: nothing is forgotten, so that steps become smaller and smaller. */
export const fedAdagrad = averaging({
  name: 'fedadagrad',
  parameters: adaptiveParameters({ serverLearningRate: 0.1, beta1: 0 }),
  step: (values) => adaptiveStep(values, (v, deltaSquared) => v + deltaSquared),
});
