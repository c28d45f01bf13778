/**
 * FedAdagrad, FedAdam and FedYogi: the adaptive server optimizers of Reddi et al. 2021 (Adaptive Federated Optimization,
 * arXiv 2003.00295, algorithm 2), which differ in their second moment alone:
 * Δ_t = Σ_k n_k/n · w^k − w_t,  m_t = β₁·m_{t−1} + (1−β₁)·Δ_t,  w_{t+1} = w_t + η·m_t / (√v_t + τ),  v_0 = τ²;
 * FedAdagrad: v_t = v_{t−1} + Δ_t²;  FedAdam: v_t = β₂·v_{t−1} + (1−β₂)·Δ_t²;
 * FedYogi: v_t = v_{t−1} − (1−β₂)·Δ_t²·sign(v_{t−1} − Δ_t²).
 * As there, no bias correction: v starts at τ², not at zero. β₁, β₂ and τ are the paper's; the learning rates depend on
 * the task and need tuning.
 */
import { SERVER_LEARNING_RATE } from './fed-avgm.js';
import { type ServerStep, stepTrainable } from './server-step.js';
import { averaging, type ValuesOf } from './strategy-module.js';

interface AdaptiveDefaults {
  readonly serverLearningRate: number;
  readonly beta1: number;
}

/** η and β₁ with their defaults, and τ: the smaller, the more each weight goes by its own history. */
const adaptiveParameters = ({ serverLearningRate, beta1 }: AdaptiveDefaults) => ({
  serverLearningRate: { ...SERVER_LEARNING_RATE, default: serverLearningRate },
  beta1: { help: 'decay of the first moment', symbol: 'share', min: 0, below: 1, default: beta1 },
  tau: { help: 'what is added to the root of the second moment', symbol: 't', min: 1e-15, default: 1e-3 },
});

/** The parameters of FedAdam and FedYogi, whose second moment decays by β₂. */
const secondMomentParameters = () => {
  const { tau, ...first } = adaptiveParameters({ serverLearningRate: 0.01, beta1: 0.9 });
  const beta2 = { help: 'decay of the second moment', symbol: 'share', min: 0, below: 1, default: 0.99 };
  return { ...first, beta2, tau };
};

/** The next second moment from the one before and Δ². */
type SecondMoment = (v: number, deltaSquared: number) => number;

/** An adaptive server optimizer; its slots are the moments `m` and `v`, kept as float32 like the weights. */
function adaptiveStep(
  { serverLearningRate: eta, beta1, tau }: ValuesOf<ReturnType<typeof adaptiveParameters>>,
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

/** FedAdagrad: nothing is forgotten, so that steps become smaller and smaller. */
export const fedAdagrad = averaging({
  name: 'fedadagrad',
  parameters: adaptiveParameters({ serverLearningRate: 0.1, beta1: 0 }),
  step: (values) => adaptiveStep(values, (v, deltaSquared) => v + deltaSquared),
});

/** FedAdam. */
export const fedAdam = averaging({
  name: 'fedadam',
  parameters: secondMomentParameters(),
  step: (values) => {
    const { beta2 } = values;
    return adaptiveStep(values, (v, deltaSquared) => beta2 * v + (1 - beta2) * deltaSquared);
  },
});

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
