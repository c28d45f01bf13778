/**
 * FedAvgM: the server goes on with momentum where the clients lead it (Hsu, Qi, Brown 2019, Measuring the Effects of
 * Non-Identical Data Distribution for Federated Visual Classification, arXiv 1909.06335, section 4.3):
 * Δ_t = Σ_k n_k/n · w^k − w_t,  u_t = β·u_{t−1} + Δ_t,  w_{t+1} = w_t + η·u_t.
 */
import { type ServerStep, stepTrainable } from './server-step.js';

/** FedAvgM's parameters; with β = 0 and η = 1 it is FedAvg. */
export interface FedAvgMSettings {
  /** η. */
  readonly serverLearningRate: number;
  /** β, from 0 to less than 1. */
  readonly serverMomentum: number;
}

/** FedAvgM; its slot `u` is the momentum. */
export function fedAvgM({ serverLearningRate: eta, serverMomentum: beta }: FedAvgMSettings): ServerStep {
  return {
    needsGlobal: true,
    slots: ['u'],
    step: (state, mean) =>
      stepTrainable({ state, mean, initial: { u: 0 } }, ({ weights, delta, slots: [u], next }) => {
        const momentum = u as Float32Array;
        for (let at = 0; at < next.length; at++) {
          const moved = beta * (momentum[at] as number) + (delta[at] as number);
          momentum[at] = moved;
          next[at] = (weights[at] as number) + eta * moved;
        }
      }),
  };
}
