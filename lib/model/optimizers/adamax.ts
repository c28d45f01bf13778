/** Adamax: Adam with the infinity norm (Kingma and Ba 2015, §7.1), as Keras defines it. */
import {
  type Arithmetic,
  type MomentSettings,
  moments,
  type OptimizerModule,
  type OptimizerStep,
  towards,
} from './optimizer-module.js';

/** What Adamax is told. */
export interface AdamaxSettings extends MomentSettings {
  readonly kind: 'adamax';
}

/** Its slots are the mean and the norm. */
export const adamax: OptimizerModule<AdamaxSettings> = {
  kind: 'adamax',
  keras: 'Adamax',
  settings: moments,
  slots: () => ({ mean: 0, norm: 0 }),
  rates: ({ beta1 }, { learningRate, step }) => ({ stepSize: learningRate / (1 - beta1 ** step) }),
  update<T>(math: Arithmetic<T>, { beta1, beta2, epsilon: small }: AdamaxSettings, step: OptimizerStep<T>) {
    const [mean, norm] = step.slots as readonly [T, T];
    const gradient = step.gradient();
    const nextMean = towards(math, mean, { to: gradient, by: 1 - beta1 });
    const nextNorm = math.larger(math.multiply(norm, math.constant(beta2)), math.absolute(gradient));
    const divisor = math.add(nextNorm, math.constant(small));
    const update = math.divide(math.multiply(nextMean, step.rates.stepSize as T), divisor);
    return { weights: math.subtract(step.weights, update), slots: [nextMean, nextNorm] };
  },
};
