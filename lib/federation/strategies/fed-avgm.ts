/**
 * FedAvgM: the server goes on with momentum where the clients lead it (Hsu, Qi, Brown 2019, Measuring the Effects of
 * Non-Identical Data Distribution for Federated Visual Classification, arXiv 1909.06335, section 4.3):
 * Δ_t = Σ_k n_k/n · w^k − w_t,  u_t = β·u_{t−1} + Δ_t,  w_{t+1} = w_t + η·u_t.
 */
import { stepTrainable } from './server-step.js';
import { averaging, type StrategyParameter } from './strategy-module.js';

/** η, of every strategy whose server takes a step. */
export const SERVER_LEARNING_RATE = {
  help: "the server's learning rate",
  symbol: 'eta',
  above: 0,
} satisfies StrategyParameter;

/** FedAvgM; its slot `u` is the momentum. With β = 0 and η = 1 it is FedAvg. β is the paper's. */
export const fedAvgM = averaging({
  name: 'fedavgm',
  parameters: {
    serverLearningRate: { ...SERVER_LEARNING_RATE, default: 1 },
    serverMomentum: { help: "the server's momentum", symbol: 'share', min: 0, below: 1, default: 0.9 },
  },
  step: ({ serverLearningRate: eta, serverMomentum: beta }) => ({
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
  }),
});
