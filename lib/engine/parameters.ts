/** Which parameter arrays a model has, in Keras' order, and which shapes flow between its layers. */
import { ExitCode, FedbatchError } from '../core/errors.js';
import { formatShape, sizeOf, type WeightArray, type Weights } from '../core/weights.js';
import type { BatchNormalizationLayer, Layer, ModelDescription } from '../model/model-description.js';
import { windowGeometry } from './window-geometry.js';

/** A model that cannot be built: layers that do not fit together, or a kind that this engine does not know. */
export class ModelError extends FedbatchError {
  override readonly name = 'ModelError';
  readonly exitCode = ExitCode.data;
}

/** One parameter array of a layer. */
export interface Parameter {
  readonly layer: string;
  /** What it is in its layer: `kernel`, `bias`, `gamma`, `beta`, `moving_mean`, `moving_variance`. */
  readonly role: string;
  /** As in Keras' layout. */
  readonly shape: readonly number[];
  /** False for moving statistics. */
  readonly trainable: boolean;
}

/** A layer with the shapes around it, without the batch axis, channels last: `[h, w, c]` or `[features]`. */
export interface ShapedLayer {
  readonly layer: Layer;
  readonly inputShape: readonly number[];
  readonly outputShape: readonly number[];
  readonly parameters: readonly Parameter[];
}

/** Follows the shapes through a model. @throws {ModelError} where layers do not fit together. */
export function shapeLayers(description: ModelDescription): readonly ShapedLayer[] {
  let inputShape = description.inputShape;
  return description.layers.map((layer) => {
    const outputShape = outputShapeOf(layer, inputShape);
    const shaped = { layer, inputShape, outputShape, parameters: parametersOf(layer, inputShape) };
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
  const foreign = description.layers.find(({ kind }) => kind === 'foreign');
  if (last?.kind === 'dense' && foreign !== undefined) return last.units;
  if (foreign !== undefined)
    throw new ModelError(`the number of classes cannot be told behind layer ${foreign.name}: end in a Dense`);
  const output = shapeLayers(description).at(-1)?.outputShape ?? [];
  if (output.length !== 1)
    throw new ModelError(`the model ends in shape ${formatShape(output)}, not in classes`);
  return output[0] as number;
}

/**
 * Which extent of its input, given without the batch, a BatchNormalization keeps apart.
 *
 * @throws {ModelError} where the input has no such axis
 */
export function normalizedAxis({ name, axis }: BatchNormalizationLayer, input: readonly number[]): number {
  const at = axis < 0 ? input.length + axis : axis - 1;
  if (input[at] !== undefined) return at;
  throw new ModelError(
    `layer ${name}: BatchNormalization with axis ${axis} is not possible, its input is ${formatShape(input)} behind the axis of the batch`,
  );
}

function parametersOf(layer: Layer, inputShape: readonly number[]): readonly Parameter[] {
  const parameter = (role: string, shape: readonly number[], trainable = true): Parameter => ({
    layer: layer.name,
    role,
    shape,
    trainable,
  });
  const channels = inputShape.at(-1) ?? 0;
  switch (layer.kind) {
    case 'conv2d':
      return [
        parameter('kernel', [...layer.kernel, channels, layer.filters]),
        ...(layer.useBias ? [parameter('bias', [layer.filters])] : []),
      ];
    case 'dense':
      return [
        parameter('kernel', [channels, layer.units]),
        ...(layer.useBias ? [parameter('bias', [layer.units])] : []),
      ];
    case 'batchNormalization': {
      const shape = [inputShape[normalizedAxis(layer, inputShape)] ?? 0];
      return [
        ...(layer.scale ? [parameter('gamma', shape)] : []),
        ...(layer.center ? [parameter('beta', shape)] : []),
        parameter('moving_mean', shape, false),
        parameter('moving_variance', shape, false),
      ];
    }
    case 'foreign':
      throw new ModelError(layer.reason);
    default:
      return [];
  }
}

function outputShapeOf(layer: Layer, input: readonly number[]): readonly number[] {
  switch (layer.kind) {
    case 'conv2d':
      if (layer.activation === 'softmax') {
        throw new ModelError(
          `layer ${layer.name}: activation softmax over the channels of an image is not supported`,
        );
      }
      return [...windowed(layer, { input, window: layer.kernel }), layer.filters];
    case 'maxPooling2d':
    case 'averagePooling2d':
      return [...windowed(layer, { input, window: layer.pool }), input[2] as number];
    case 'globalAveragePooling2d':
      requireImage(layer, input);
      return [input[2] as number];
    case 'flatten':
      return [sizeOf(input)];
    case 'dense':
      if (input.length !== 1) {
        throw new ModelError(
          `layer ${layer.name}: Dense takes [features], its input is ${formatShape(input)}; put a Flatten before it`,
        );
      }
      return [layer.units];
    case 'activation':
      if (layer.activation === 'softmax' && input.length !== 1) {
        throw new ModelError(
          `layer ${layer.name}: softmax takes [features], its input is ${formatShape(input)}`,
        );
      }
      return input;
    case 'foreign':
      throw new ModelError(layer.reason);
    default:
      return input;
  }
}

type WindowedLayer = Extract<Layer, { strides: unknown }>;

function windowed(
  layer: WindowedLayer,
  { input, window }: { readonly input: readonly number[]; readonly window: readonly [number, number] },
): readonly number[] {
  requireImage(layer, input);
  const [height = 0, width = 0] = input;
  const { output } = windowGeometry([height, width], { ...layer, window });
  if (output[0] < 1 || output[1] < 1) {
    throw new ModelError(
      `layer ${layer.name}: a window of ${window.join('×')} does not fit into ${height}×${width} pixels`,
    );
  }
  return output;
}

function requireImage(layer: Layer, input: readonly number[]): void {
  if (input.length !== 3) {
    throw new ModelError(`layer ${layer.name}: takes images [h,w,c], its input is ${formatShape(input)}`);
  }
}
