/**
 * The adaptive server optimizers of Reddi et al. 2021 (Adaptive Federated Optimization, arXiv 2003.00295, algorithm 2),
 * which differ in their second moment alone:
 * Δ_t = Σ_k n_k/n · w^k − w_t,  m_t = β₁·m_{t−1} + (1−β₁)·Δ_t,  w_{t+1} = w_t + η·m_t / (√v_t + τ),  v_0 = τ².
 * As there, no bias correction: v starts at τ², not at zero.
 */
import { type ServerStep, stepTrainable } from './server-step.js';

/** What the three have in common. */
export interface AdaptiveSettings {
  /** η, the server's learning rate. */
  readonly serverLearningRate: number;
  /** Decay of the first moment, from 0 to less than 1. */
  readonly beta1: number;
  /** Degree of adaptivity, more than 0: the smaller, the more each weight goes by its own history. */
  readonly tau: number;
}

/** The next second moment from the one before and Δ². */
export type SecondMoment = (v: number, deltaSquared: number) => number;

/** An adaptive server optimizer; its slots are the moments `m` and `v`, kept as float32 like the weights. */
export function adaptiveStep(
  { serverLearningRate: eta, beta1, tau }: AdaptiveSettings,
  secondMoment: SecondMoment,
): ServerStep {
  return {
    needsGlobal: true,
    slots: ['m', 'v'],
    step: (state, mean) =>
      stepTrainable({ state, mean, initial: { m: 0, v: tau * tau } }, ({ weights, delta, slots, next }) => {
        const [m, v] = slots as [Float32Array, Float32Array];
        for (let at = 0; at < next.length; at++) {
          const change = delta[at] as number;
          const first = beta1 * (m[at] as number) + (1 - beta1) * change;
          const second = secondMoment(v[at] as number, change * change);
          m[at] = first;
          v[at] = second;
          next[at] = (weights[at] as number) + (eta * first) / (Math.sqrt(second) + tau);
        }
      }),
  };
}
