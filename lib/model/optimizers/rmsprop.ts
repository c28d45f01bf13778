/** RMSprop (Tieleman and Hinton 2012), centred and with momentum where asked, as Keras defines it. */
import {
  type Arithmetic,
  type CommonSettings,
  epsilon,
  fading,
  type OptimizerModule,
  type OptimizerStep,
  share,
  switchedOn,
} from './optimizer-module.js';

/** What RMSprop is told. */
export interface RmspropSettings extends CommonSettings {
  readonly kind: 'rmsprop';
  readonly rho: number;
  readonly momentum: number;
  readonly epsilon: number;
  /** Divides by the deviation from the mean gradient. */
  readonly centered?: boolean;
}

/** Its slots are the mean square, the mean where it is centred, and the velocity where it has momentum. */
export const rmsprop: OptimizerModule<RmspropSettings> = {
  kind: 'rmsprop',
  keras: 'RMSprop',
  settings: {
    rho: share('rho', 0.9),
    momentum: share('momentum', 0),
    epsilon,
    centered: switchedOn('centered'),
  },
  slots: ({ centered, momentum }) => ({
    square: 0,
    ...(centered === true ? { mean: 0 } : {}),
    ...(momentum === 0 ? {} : { velocity: 0 }),
  }),
  rates: (_, { learningRate }) => ({ stepSize: learningRate }),
  update<T>(math: Arithmetic<T>, settings: RmspropSettings, step: OptimizerStep<T>) {
    const { rho, momentum, epsilon: small, centered } = settings;
    const [square, ...others] = step.slots as readonly [T, ...T[]];
    const gradient = step.gradient();
    const nextSquare = fading(math, rho, { of: square, by: math.multiply(gradient, gradient) });
    const nextMean = centered === true ? [fading(math, rho, { of: others[0] as T, by: gradient })] : [];
    const spread = nextMean.reduce(
      (rest, mean) => math.subtract(rest, math.multiply(mean, mean)),
      nextSquare,
    );
    const deviation = math.squareRoot(math.add(spread, math.constant(small)));
    const increment = math.divide(math.multiply(gradient, step.rates.stepSize as T), deviation);
    const velocity = momentum === 0 ? undefined : (others.at(-1) as T);
    const update =
      velocity === undefined
        ? increment
        : math.add(math.multiply(velocity, math.constant(momentum)), increment);
    return {
      weights: math.subtract(step.weights, update),
      slots: [nextSquare, ...nextMean, ...(velocity === undefined ? [] : [update])],
    };
  },
};
