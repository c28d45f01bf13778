/** Adadelta (Zeiler 2012), as Keras defines it. */
import {
  type Arithmetic,
  type CommonSettings,
  epsilon,
  fading,
  type OptimizerModule,
  type OptimizerStep,
  share,
} from './optimizer-module.js';

/** What Adadelta is told. */
export interface AdadeltaSettings extends CommonSettings {
  readonly kind: 'adadelta';
  readonly rho: number;
  readonly epsilon: number;
}

/** Its slots are the mean squares of gradients and of changes. */
export const adadelta: OptimizerModule<AdadeltaSettings> = {
  kind: 'adadelta',
  keras: 'Adadelta',
  settings: { rho: share('rho', 0.95), epsilon },
  slots: () => ({ square: 0, change: 0 }),
  rates: (_, { learningRate }) => ({ stepSize: learningRate }),
  update<T>(math: Arithmetic<T>, { rho, epsilon: small }: AdadeltaSettings, step: OptimizerStep<T>) {
    const [square, change] = step.slots as readonly [T, T];
    const gradient = step.gradient();
    const root = (values: T) => math.squareRoot(math.add(values, math.constant(small)));
    const nextSquare = fading(math, rho, { of: square, by: math.multiply(gradient, gradient) });
    const moved = math.divide(math.multiply(root(change), gradient), root(nextSquare));
    const nextChange = fading(math, rho, { of: change, by: math.multiply(moved, moved) });
    const weights = math.subtract(step.weights, math.multiply(moved, step.rates.stepSize as T));
    return { weights, slots: [nextSquare, nextChange] };
  },
};
