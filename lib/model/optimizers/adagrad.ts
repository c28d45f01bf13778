/** Adagrad (Duchi, Hazan and Singer 2011), as Keras defines it. */
import { numberWithin } from '../layers/settings.js';
import {
  type Arithmetic,
  type CommonSettings,
  epsilon,
  type OptimizerModule,
  type OptimizerStep,
} from './optimizer-module.js';

/** What Adagrad is told. */
export interface AdagradSettings extends CommonSettings {
  readonly kind: 'adagrad';
  /** What the sum of squares begins with. */
  readonly initialAccumulator: number;
  readonly epsilon: number;
}

/** Its slot is the sum of squared gradients. */
export const adagrad: OptimizerModule<AdagradSettings> = {
  kind: 'adagrad',
  keras: 'Adagrad',
  settings: {
    initialAccumulator: numberWithin({
      keys: ['initial_accumulator_value'],
      expected: 'a number of at least 0',
      fallback: 0.1,
      isIn: (value) => value >= 0,
    }),
    epsilon,
  },
  slots: ({ initialAccumulator }) => ({ accumulator: initialAccumulator }),
  rates: (_, { learningRate }) => ({ stepSize: learningRate }),
  update<T>(math: Arithmetic<T>, { epsilon: small }: AdagradSettings, step: OptimizerStep<T>) {
    const [accumulator] = step.slots as readonly [T];
    const gradient = step.gradient();
    const next = math.add(accumulator, math.multiply(gradient, gradient));
    const deviation = math.squareRoot(math.add(next, math.constant(small)));
    const update = math.divide(math.multiply(gradient, step.rates.stepSize as T), deviation);
    return { weights: math.subtract(step.weights, update), slots: [next] };
  },
};
