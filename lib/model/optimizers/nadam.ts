/** Nadam: Adam with Nesterov's momentum (Dozat 2016), as Keras defines it. */
import {
  type Arithmetic,
  type MomentSettings,
  moments,
  type OptimizerModule,
  type OptimizerStep,
  towards,
} from './optimizer-module.js';

/** What Nadam is told. */
export interface NadamSettings extends MomentSettings {
  readonly kind: 'nadam';
}

/** Its slots are the moments. */
export const nadam: OptimizerModule<NadamSettings> = {
  kind: 'nadam',
  keras: 'Nadam',
  settings: moments,
  slots: () => ({ mean: 0, variance: 0 }),
  rates({ beta1, beta2 }, { learningRate, step }) {
    const product = momentumProduct(beta1, step);
    const next = momentumAt(beta1, step + 1);
    return {
      stepSize: (learningRate * (1 - momentumAt(beta1, step))) / (1 - product),
      meanStep: (learningRate * next) / (1 - product * next),
      varianceScale: 1 / (1 - beta2 ** step),
    };
  },
  update<T>(math: Arithmetic<T>, { beta1, beta2, epsilon: small }: NadamSettings, step: OptimizerStep<T>) {
    const [mean, variance] = step.slots as readonly [T, T];
    const { stepSize, meanStep, varianceScale } = step.rates as Readonly<Record<string, T>> & {
      readonly stepSize: T;
      readonly meanStep: T;
      readonly varianceScale: T;
    };
    const gradient = step.gradient();
    const nextMean = towards(math, mean, { to: gradient, by: 1 - beta1 });
    const squared = math.multiply(gradient, gradient);
    const nextVariance = towards(math, variance, { to: squared, by: 1 - beta2 });
    const ahead = math.add(math.multiply(nextMean, meanStep), math.multiply(gradient, stepSize));
    const deviation = math.squareRoot(math.multiply(nextVariance, varianceScale));
    const update = math.divide(ahead, math.add(deviation, math.constant(small)));
    return { weights: math.subtract(step.weights, update), slots: [nextMean, nextVariance] };
  },
};

/** The schedule of the momentum, μ_t. */
const momentumAt = (beta1: number, step: number): number => beta1 * (1 - 0.5 * 0.96 ** step);

/** Π μ of the steps 1, 2, …, by β₁: each step asks for the next one, and a training has many. */
const PRODUCTS = new Map<number, number[]>();

function momentumProduct(beta1: number, step: number): number {
  const products = PRODUCTS.get(beta1) ?? [1];
  PRODUCTS.set(beta1, products);
  for (let at = products.length; at <= step; at++)
    products.push((products[at - 1] as number) * momentumAt(beta1, at));
  return products[step] as number;
}
