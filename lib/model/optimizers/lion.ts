/** Lion: steps of one length along the sign of a momentum (Chen et al. 2023, arXiv 2302.06675), as Keras defines it. */
import {
  type Arithmetic,
  type CommonSettings,
  fading,
  type OptimizerModule,
  type OptimizerStep,
  share,
} from './optimizer-module.js';

/** What Lion is told. */
export interface LionSettings extends CommonSettings {
  readonly kind: 'lion';
  /** Of the momentum in the direction of a step, and in what is kept for the next one. */
  readonly beta1: number;
  readonly beta2: number;
}

/** Its slot is the momentum. */
export const lion: OptimizerModule<LionSettings> = {
  kind: 'lion',
  keras: 'Lion',
  settings: { beta1: share('beta_1', 0.9), beta2: share('beta_2', 0.99) },
  slots: () => ({ momentum: 0 }),
  rates: (_, { learningRate }) => ({ stepSize: learningRate }),
  update<T>(math: Arithmetic<T>, { beta1, beta2 }: LionSettings, step: OptimizerStep<T>) {
    const [momentum] = step.slots as readonly [T];
    const gradient = step.gradient();
    const direction = fading(math, beta1, { of: momentum, by: gradient });
    const update = math.multiply(math.sign(direction), step.rates.stepSize as T);
    // β2·m + (1 - β2)·g, out of the direction: a slot is written in place, after all that reads it.
    const rest = math.multiply(math.subtract(momentum, gradient), math.constant(beta2 - beta1));
    return { weights: math.subtract(step.weights, update), slots: [math.add(direction, rest)] };
  },
};
