/** Which parameter arrays a model has, in Keras' order, how they begin, and which shapes flow between its layers. */
import { randomStream } from '../core/random.js';
import { formatShape, sizeOf, type WeightArray, type Weights } from '../core/weights.js';
import { foreignLayers } from './layers/foreign.js';
import type { LayerParameter } from './layers/layer-module.js';
import { type Layer, moduleOf } from './layers/registry.js';
import type { ModelDescription } from './model-description.js';
import { ModelError } from './model-error.js';

/** One parameter array of a model. */
export interface Parameter extends LayerParameter {
  readonly layer: string;
  /** False for moving statistics. */
  readonly trainable: boolean;
}

/** A layer with the shapes around it, without the batch axis, channels last: `[h, w, c]` or `[features]`. */
interface ShapedLayer {
  readonly layer: Layer;
  readonly inputShape: readonly number[];
  readonly outputShape: readonly number[];
  readonly parameters: readonly Parameter[];
}

/** Follows the shapes through a model. @throws {ModelError} where layers do not fit together. */
export function shapeLayers(description: ModelDescription): readonly ShapedLayer[] {
  let inputShape = description.inputShape;
  return description.layers.map((layer) => {
    const module = moduleOf(layer);
    const outputShape = module.outputShape(layer, inputShape);
    const parameters = (module.parameters?.(layer, inputShape) ?? []).map((each) => ({
      ...each,
      layer: layer.name,
      trainable: each.momentum === undefined,
    }));
    const shaped = { layer, inputShape, outputShape, parameters };
    inputShape = outputShape;
    return shaped;
  });
}

/** All parameters of a model in the order in which Keras keeps its weights. */
export function modelParameters(description: ModelDescription): readonly Parameter[] {
  return shapeLayers(description).flatMap((shaped) => shaped.parameters);
}

/** Makes sure that `weights` can stand in the place of `like`. @throws {ModelError} naming the first array that cannot */
export function requireSameShapes(weights: Weights, like: Weights): void {
  if (weights.length !== like.length) {
    throw new ModelError(`${weights.length} weight arrays where the model has ${like.length}`);
  }
  for (const [index, { name, shape }] of like.entries()) {
    const given = weights[index] as WeightArray;
    if (formatShape(given.shape) === formatShape(shape) && given.values.length === sizeOf(shape)) continue;
    throw new ModelError(
      `weight ${given.name} of shape ${formatShape(given.shape)} where ${name} has ${formatShape(shape)}`,
    );
  }
}

/** Makes sure that training respects all that a model asks of it. @throws {ModelError} naming what it would not */
export function requireTrainable({ trainingObstacles: [obstacle] = [] }: ModelDescription): void {
  if (obstacle !== undefined) throw new ModelError(`${obstacle}, which training here does not respect`);
}

/** Number of classes: the length of the model's output. */
export function classCount(description: ModelDescription): number {
  const last = description.layers.findLast((layer) => layer.kind !== 'activation');
  // Shapes cannot be followed through them.
  const [foreign] = foreignLayers(description);
  if (foreign !== undefined && last !== undefined && 'units' in last) return last.units;
  if (foreign !== undefined)
    throw new ModelError(`the number of classes cannot be told behind layer ${foreign.name}: end in a Dense`);
  const output = shapeLayers(description).at(-1)?.outputShape ?? [];
  if (output.length !== 1)
    throw new ModelError(`the model ends in shape ${formatShape(output)}, not in classes`);
  return output[0] as number;
}

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
