/** Seeded initial weights: Glorot uniform kernels (Glorot and Bengio 2010), as Keras starts them. */
import { randomStream } from '../core/random.js';
import { sizeOf, type Weights } from '../core/weights.js';
import type { ModelDescription } from './model-description.js';
import { modelParameters, type Parameter } from './parameters.js';

/** Fresh weights of a model; the same seed always gives the same, each array from a stream of its own. */
export function initialWeights(description: ModelDescription, seed: number): Weights {
  return modelParameters(description).map((parameter) => ({
    name: `${parameter.layer}/${parameter.role}:0`,
    shape: parameter.shape,
    values: initialValues(parameter, seed),
  }));
}

function initialValues(parameter: Parameter, seed: number): Float32Array {
  const values = new Float32Array(sizeOf(parameter.shape));
  if (parameter.initial !== 'glorot-uniform') return values.fill(parameter.initial === 'ones' ? 1 : 0);
  const [fanIn, fanOut] = fans(parameter.shape);
  const limit = Math.sqrt(6 / (fanIn + fanOut));
  const random = randomStream(seed, 'initial-weights', parameter.layer, parameter.role);
  return values.map(() => (random.uniform() * 2 - 1) * limit);
}

/** Number of inputs and outputs that a kernel `[…window, in, out]` connects. */
function fans(shape: readonly number[]): readonly [fanIn: number, fanOut: number] {
  const window = sizeOf(shape.slice(0, -2));
  return [window * (shape.at(-2) ?? 1), window * (shape.at(-1) ?? 1)];
}
