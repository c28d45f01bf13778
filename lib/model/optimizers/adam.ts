/** Adam (Kingma and Ba 2015), AMSGrad (Reddi et al. 2018) and AdamW (Loshchilov and Hutter 2019), as Keras defines them. */
import {
  type Arithmetic,
  type MomentSettings,
  moments,
  type OptimizerModule,
  type OptimizerStep,
  switchedOn,
  towards,
} from './optimizer-module.js';

/** What Adam is told. AdamW is Adam with a weight decay by default. */
export interface AdamSettings extends MomentSettings {
  readonly kind: 'adam' | 'adamw';
  /** Divides by the largest second moment so far instead of the present one. */
  readonly amsgrad?: boolean;
}

/** Its slots are the moments, and with AMSGrad the largest second moment. */
export const adam: OptimizerModule<AdamSettings> = {
  kind: 'adam',
  keras: 'Adam',
  settings: {
    ...moments,
    amsgrad: switchedOn('amsgrad'),
  },
  slots: ({ amsgrad }) => ({ mean: 0, variance: 0, ...(amsgrad === true ? { largest: 0 } : {}) }),
  // With the bias correction of §2 of the paper.
  rates: ({ beta1, beta2 }, { learningRate, step }) => ({
    stepSize: (learningRate * Math.sqrt(1 - beta2 ** step)) / (1 - beta1 ** step),
  }),
  update<T>(
    math: Arithmetic<T>,
    { beta1, beta2, epsilon: small, amsgrad }: AdamSettings,
    step: OptimizerStep<T>,
  ) {
    const [mean, variance, largest] = step.slots as readonly [T, T, T];
    const gradient = step.gradient();
    const nextMean = towards(math, mean, { to: gradient, by: 1 - beta1 });
    const squared = math.multiply(gradient, gradient);
    const nextVariance = towards(math, variance, { to: squared, by: 1 - beta2 });
    const nextLargest = amsgrad === true ? [math.larger(largest, nextVariance)] : [];
    const [divisor = nextVariance] = nextLargest;
    const deviation = math.add(math.squareRoot(divisor), math.constant(small));
    const update = math.divide(math.multiply(nextMean, step.rates.stepSize as T), deviation);
    return { weights: math.subtract(step.weights, update), slots: [nextMean, nextVariance, ...nextLargest] };
  },
};

/** The same by another name: its weights decay by default. */
export const adamW: OptimizerModule<AdamSettings> = { ...adam, kind: 'adamw', keras: 'AdamW' };
