/** Which parameter arrays a model has, in Keras' order, how they begin, and which shapes flow between its layers. */

import { ModelError } from '../core/errors.js';
import { type RandomStream, randomStream } from '../core/random.js';
import { formatShape, sizeOf, type WeightArray, type Weights } from '../core/weights.js';
import { draw, fans, type Initializer } from './initializers.js';
import { foreignLayers } from './layers/foreign.js';
import {
  type InputShapes,
  innerLayers,
  type LayerParameter,
  type NamedLayer,
} from './layers/layer-module.js';
import { type ParameterTraining, parameterTraining } from './layers/layer-training.js';
import { type Layer, moduleOf } from './layers/registry.js';
import { type LayerCall, layerOfCall, type ModelDescription } from './model-description.js';

/** One parameter array of a model. */
export interface Parameter extends Omit<LayerParameter, 'training'>, ParameterTraining {
  readonly layer: string;
  /** False for moving statistics, and in layers that are frozen. */
  readonly trainable: boolean;
}

/** A call with the shapes around it, without the batch axis, in Keras' order: `[h, w, c]` or `[features]`. */
interface ShapedCall extends LayerCall {
  readonly inputShapes: InputShapes;
  readonly outputShape: readonly number[];
}

/** The shape of the only input. @throws {ModelError} for a model of several inputs */
export function inputShape({ inputs }: ModelDescription): readonly number[] {
  const [input] = inputs;
  if (input !== undefined && inputs.length === 1) return input.shape;
  throw new ModelError(
    `the model takes ${inputs.length} inputs (${inputs.map(({ name }) => name).join(', ')})`,
  );
}

/** What an input of a model, whole numbers from 0, is below; undefined where it may be any number. */
export function inputBound(description: ModelDescription, value: string): number | undefined {
  for (const call of description.calls.filter(({ inputs }) => inputs.includes(value))) {
    const layer = layerOfCall(description, call);
    const { inputBelow, onlyReshapes } = moduleOf(layer);
    const bound = onlyReshapes ? inputBound(description, call.output) : inputBelow?.(layer);
    if (bound !== undefined) return bound;
  }
  return undefined;
}

/** Follows the shapes through a model. @throws {ModelError} where layers do not fit together. */
export function shapeCalls(description: ModelDescription): readonly ShapedCall[] {
  const shapes = new Map(description.inputs.map(({ name, shape }) => [name, shape]));
  maskSources(description);
  return description.calls.map((call) => {
    const layer = layerOfCall(description, call);
    const inputShapes = call.inputs.map((value) => shapeOf(shapes, value)) as unknown as InputShapes;
    const { outputShape: shapeFor, inputCount: [fewest, most] = [1, 1] } = moduleOf(layer);
    const count = inputShapes.length;
    if (count < fewest || count > most) {
      const takes = fewest === most ? `${fewest}` : `at least ${fewest}`;
      throw new ModelError(
        `layer ${layer.name}: takes ${takes} input${fewest > 1 ? 's' : ''}, is given ${count}`,
      );
    }
    const outputShape = fitting(call, inputShapes, () => shapeFor(layer, ...inputShapes));
    shapes.set(call.output, outputShape);
    return { ...call, inputShapes, outputShape };
  });
}

/** The layer that each masked value has its mask from. @throws {ModelError} for a layer that takes none */
function maskSources(description: ModelDescription): ReadonlyMap<string, Layer> {
  const sources = new Map<string, Layer>();
  for (const call of description.calls) {
    const layer = layerOfCall(description, call);
    const { masks, maskBehind, keras } = moduleOf(layer);
    const [source] = call.inputs.flatMap((value) => sources.get(value) ?? []);
    const behind = source === undefined ? undefined : maskBehind?.(layer);
    if (masks?.(layer) === true) sources.set(call.output, layer);
    else if (source !== undefined && behind === 'kept') sources.set(call.output, source);
    else if (source !== undefined && behind === undefined)
      throw new ModelError(
        `layer ${source.name}: its mask is not taken by layer ${layer.name} (${keras[0]?.names[0]})`,
      );
  }
  return sources;
}

/** Whether a mask reaches each output of a model, so that some of its steps do not count. */
export function maskedOutputs(description: ModelDescription): readonly boolean[] {
  // Masks cannot be followed through layers that are not known here.
  const sources = foreignLayers(description).length > 0 ? new Map() : maskSources(description);
  return description.outputs.map((value) => sources.has(value));
}

/** The shapes of what a model gives. @throws {ModelError} as {@link shapeCalls} */
export function outputShapes(description: ModelDescription): readonly (readonly number[])[] {
  const given = description.inputs.map(({ name, shape }) => [name, shape] as const);
  const made = shapeCalls(description).map(({ output, outputShape }) => [output, outputShape] as const);
  const shapes = new Map([...given, ...made]);
  return description.outputs.map((value) => shapeOf(shapes, value));
}

/** Names the inputs of a layer of several that does not take them. */
function fitting<T>({ inputs }: LayerCall, shapes: InputShapes, shapeFor: () => T): T {
  try {
    return shapeFor();
  } catch (error) {
    if (!(error instanceof ModelError) || inputs.length === 1) throw error;
    const given = inputs.map((value, at) => `${value} ${formatShape(shapes[at] ?? [])}`).join(', ');
    throw new ModelError(`${error.message}: ${given}`);
  }
}

function shapeOf(shapes: ReadonlyMap<string, readonly number[]>, value: string): readonly number[] {
  const shape = shapes.get(value);
  if (shape === undefined) throw new Error(`${value} is read before it is made`);
  return shape;
}

/** Elements of all that lies between a model's layers, for one example. @throws {ModelError} as {@link shapeCalls} */
export const activationCount = (description: ModelDescription): number =>
  shapeCalls(description).reduce((sum, { outputShape }) => sum + sizeOf(outputShape), 0);

/**
 * All parameters of a model in the order in which Keras keeps its weights.
 *
 * @throws {ModelError} where layers do not fit together, or a layer is called on what its parameters do not fit
 */
export function modelParameters(description: ModelDescription): readonly Parameter[] {
  const found = new Map<string, readonly Parameter[]>();
  for (const call of shapeCalls(description)) {
    const layer = layerOfCall(description, call);
    const own = moduleOf(layer).parameters?.(layer, ...call.inputShapes) ?? [];
    const parameters = own.map((each) => inTraining(layer, each));
    const others = found.get(layer.name) ?? parameters;
    const other = others.find(
      ({ shape }, at) => formatShape(shape) !== formatShape(parameters[at]?.shape ?? []),
    );
    if (other !== undefined) {
      const shapes = call.inputShapes.map(formatShape).join(' and ');
      throw new ModelError(
        `layer ${layer.name}: is called on ${shapes}, which its ${other.role} of ${formatShape(other.shape)} from an earlier call does not fit`,
      );
    }
    found.set(layer.name, others);
  }
  const all = description.layers.flatMap(({ name }) => found.get(name) ?? []);
  return (description.nested ?? []).reduce(trainableFirst, all);
}

/** A parameter with what its layer asks of training, or the layer inside of it. */
function inTraining(
  { name, training: ofLayer = {} }: NamedLayer,
  { momentum, training = ofLayer, ...parameter }: LayerParameter,
): Parameter {
  const trainable = momentum === undefined && training.isFrozen !== true;
  const own = { ...parameter, layer: name, trainable };
  if (trainable) return { ...own, ...parameterTraining(training, parameter.role) };
  return momentum === undefined || training.isFrozen === true ? own : { ...own, momentum };
}

/** Whether a layer is frozen, or one inside of it. */
const isFrozen = ({ training, ...fields }: NamedLayer): boolean =>
  training?.isFrozen === true || innerLayers(fields).some(isFrozen);

/** As Keras keeps the weights of a model in the model: moving statistics behind all else. */
function trainableFirst(parameters: readonly Parameter[], layers: readonly string[]): readonly Parameter[] {
  const isInside = ({ layer }: Parameter) => layers.includes(layer);
  const start = parameters.findIndex(isInside);
  const inside = parameters.filter(isInside);
  const [before, after] = [parameters.slice(0, start), parameters.slice(start + inside.length)];
  const [trained, others] = [true, false].map((wanted) =>
    inside.filter(({ trainable }) => trainable === wanted),
  );
  return start < 0 ? parameters : [...before, ...(trained ?? []), ...(others ?? []), ...after];
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
export function requireTrainable(description: ModelDescription): void {
  const { outputs, trainingObstacles: [obstacle] = [] } = description;
  if (obstacle !== undefined) throw new ModelError(`${obstacle}, which training here does not respect`);
  const sources = maskSources(description);
  for (const [at, value] of outputs.entries()) {
    const source = sources.get(value);
    if (source === undefined || outputShapes(description)[at]?.length === 2) continue;
    throw new ModelError(
      `layer ${source.name}: its mask reaches an output that is not one row of numbers for each step`,
    );
  }
  if (foreignLayers(description).length > 0) return;
  const parameters = modelParameters(description);
  if (parameters.some(({ trainable }) => trainable)) return;
  // A model of layers that have nothing to train is as good as one without weights.
  const frozen = description.layers
    .filter((layer) => isFrozen(layer) && parameters.some((each) => each.layer === layer.name))
    .map(({ name }) => name);
  if (frozen.length === 0) return;
  throw new ModelError(
    `a model without anything to train: layer ${frozen.join(', ')} is frozen (trainable: false)`,
  );
}

/** Shapes of what a model puts out for one example, in the order of its outputs. */
export function answerShapes(description: ModelDescription): readonly (readonly number[])[] {
  // Shapes cannot be followed through them.
  const [foreign] = foreignLayers(description);
  const last = description.layers.findLast((layer) => layer.kind !== 'activation');
  if (foreign !== undefined && last !== undefined && 'units' in last) return [[last.units as number]];
  if (foreign !== undefined)
    throw new ModelError(
      `${foreign.reason}; behind it the outputs cannot be counted unless the model ends in a Dense`,
    );
  return outputShapes(description);
}

/** Fresh weights of a model; the same seed always gives the same, each array from a stream of its own. */
export function initialWeights(
  description: ModelDescription,
  seed: number,
  /** How an array begins where it is not as the layer has it. */
  given: (layer: string, role: string) => Initializer | undefined = () => undefined,
): Weights {
  return modelParameters(description).map((parameter) => {
    const { layer, role, shape } = parameter;
    const initializer = given(layer, role);
    const random = randomStream(seed, 'initial-weights', layer, role);
    const values =
      initializer === undefined ? initialValues(parameter, random) : draw(initializer, shape, random);
    return { name: `${layer}/${role}:0`, shape, values };
  });
}

function initialValues({ shape, initial }: Parameter, random: RandomStream): Float32Array {
  const values = new Float32Array(sizeOf(shape));
  const uniform = (limit: number) => values.map(() => (random.uniform() * 2 - 1) * limit);
  const quarter = values.length / 4;
  switch (initial) {
    case 'zeros':
      return values;
    case 'ones':
      return values.fill(1);
    case 'forget-gate-ones':
      return values.fill(1, quarter, 2 * quarter);
    case 'uniform':
      return uniform(0.05);
    case 'orthogonal':
      return orthogonal(shape, random);
    case 'glorot-uniform': {
      const [fanIn, fanOut] = fans(shape);
      return uniform(Math.sqrt(6 / (fanIn + fanOut)));
    }
  }
}

/** A matrix whose rows, or columns where these are fewer, are of length 1 and orthogonal (Saxe et al. 2014). */
function orthogonal([rows = 1, columns = 1]: readonly number[], random: RandomStream): Float32Array {
  const [count, length] = [Math.min(rows, columns), Math.max(rows, columns)];
  const vectors: Float64Array[] = [];
  for (let index = 0; index < count; index++) {
    const vector = Float64Array.from({ length }, () => random.normal());
    // Once more, for what rounding left of the others.
    for (const other of [...vectors, ...vectors]) {
      const along = dot(vector, other);
      for (let at = 0; at < length; at++) vector[at] = (vector[at] as number) - along * (other[at] as number);
    }
    const norm = Math.sqrt(dot(vector, vector));
    vectors.push(vector.map((value) => value / norm));
  }
  const values = new Float32Array(rows * columns);
  for (const [index, vector] of vectors.entries()) {
    for (const [at, value] of vector.entries())
      values[rows <= columns ? index * columns + at : at * columns + index] = value;
  }
  return values;
}

function dot(left: Float64Array, right: Float64Array): number {
  let sum = 0;
  for (let at = 0; at < left.length; at++) sum += (left[at] as number) * (right[at] as number);
  return sum;
}
