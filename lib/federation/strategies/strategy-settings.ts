/** The settings of each strategy: its parameters, their defaults, and which of them belong to which strategy. */
import type { AdaptiveSettings } from './adaptive-step.js';
import type { SecondMomentSettings } from './fed-adam.js';
import type { FedAvgMSettings } from './fed-avgm.js';

/**
 * Every strategy with the defaults of its parameters: those of the papers where they give some; the learning rates of
 * the adaptive ones are in the middle of what Reddi et al. 2021 found best on image tasks (table 8) and want tuning.
 */
export const STRATEGY_DEFAULTS = {
  fedavg: {},
  fedavgm: { serverLearningRate: 1, serverMomentum: 0.9 },
  fedadagrad: { serverLearningRate: 0.1, beta1: 0, tau: 1e-3 },
  fedadam: { serverLearningRate: 0.01, beta1: 0.9, beta2: 0.99, tau: 1e-3 },
  fedyogi: { serverLearningRate: 0.01, beta1: 0.9, beta2: 0.99, tau: 1e-3 },
} as const;

/** Name of a strategy. */
export type StrategyName = keyof typeof STRATEGY_DEFAULTS;

/** All names, in the order in which help shows them. */
export const strategyNames = Object.keys(STRATEGY_DEFAULTS) as readonly StrategyName[];

/** A strategy and all of its parameters. */
export type StrategySettings =
  | { readonly name: 'fedavg' }
  | ({ readonly name: 'fedavgm' } & FedAvgMSettings)
  | ({ readonly name: 'fedadagrad' } & AdaptiveSettings)
  | ({ readonly name: 'fedadam' | 'fedyogi' } & SecondMomentSettings);
