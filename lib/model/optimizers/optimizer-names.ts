/** The optimizers that users may ask for by name, and Keras' defaults of each that are not the same for all. */

/** To add one, name it here, write its module, and name that in `registry.ts`. */
export const OPTIMIZERS = {
  adam: { learningRate: 0.001 },
  sgd: { learningRate: 0.01 },
  adamw: { learningRate: 0.001, weightDecay: 0.004 },
  rmsprop: { learningRate: 0.001 },
  adagrad: { learningRate: 0.001 },
  adamax: { learningRate: 0.001 },
  nadam: { learningRate: 0.001 },
  adadelta: { learningRate: 0.001 },
  lion: { learningRate: 0.001 },
} as const satisfies Readonly<
  Record<string, { readonly learningRate: number; readonly weightDecay?: number }>
>;

/** The name of an optimizer. */
export type OptimizerName = keyof typeof OPTIMIZERS;

/** In the order in which users are told of them. */
export const OPTIMIZER_NAMES = Object.keys(OPTIMIZERS) as readonly OptimizerName[];
