/** From a Keras file to a model that engines take, and from a description to the config that Keras takes. */
import { z } from 'zod';
import { formatShape } from '../core/weights.js';
import type { KerasFile } from '../formats/keras/keras-file.js';
import type { Extent, ForeignLayer, Layer, ModelDescription } from '../model/model-description.js';
import { requireClassifier } from './classifier.js';
import type { Model } from './engine.js';
import { foreignLayers } from './foreign-layers.js';
import {
  findTrainingObstacles,
  type KerasLayer,
  kerasLayerName,
  kerasLayerSchema,
  parseKerasLayer,
  requireKerasClass,
  requirePlainInput,
} from './keras-layers.js';
import { KerasSettings } from './keras-settings.js';
import { inFile } from './model-file.js';
import { ModelError, modelParameters, requireTrainable, shapeLayers } from './parameters.js';

/** Keras' class of a model's input. */
const INPUT = 'InputLayer';

const layersSchema = z.array(kerasLayerSchema);
/** Keras 1 keeps the layers as a list, later versions in an object. */
const sequentialSchema = z.object({
  class_name: z.literal('Sequential'),
  config: z.union([
    layersSchema,
    z.looseObject({
      name: z.string().optional(),
      layers: layersSchema,
      build_input_shape: z.array(z.number().nullable()).nullish(),
    }),
  ]),
});

const classNameSchema = z.object({ class_name: z.string() });
const inputShapeSchema = z.array(z.number().int().positive()).min(1).max(3);

/**
 * The model in a Keras file: its layers, its weights checked against them, and all that every program asks of a model.
 *
 * @param path what errors call the file
 * @param options see {@link KerasModelOptions}
 * @throws {DataError} when the architecture is not a Sequential of known layers, the weights do not fit it, or it is no
 *   classifier
 */
export function modelFromKeras(file: KerasFile, path: string, options?: KerasModelOptions): Model {
  try {
    const description = describeKerasConfig(file.modelConfig, {
      ...options,
      kerasVersion: file.kerasVersion,
    });
    if (options?.forTraining === true) requireTrainable(description);
    // Only the engine that builds foreign layers knows their arrays, and checks them then.
    if (foreignLayers(description).length === 0) checkWeights(description, file);
    const model = { description, weights: file.weights };
    requireClassifier(model, path);
    return model;
  } catch (error) {
    throw inFile(error, path);
  }
}

/** What to make of layers that we do not know. */
export interface KerasModelOptions {
  /** Keeps them as foreign layers, for an engine that builds models from Keras' own JSON; else they are an error. */
  readonly keepForeignLayers?: boolean;
  /** Refuses what training would not respect. */
  readonly forTraining?: boolean;
  /** Of the writer: some names of Keras mean something else since version 3. */
  readonly kerasVersion?: string;
}

/** The description in a Keras `model_config`. @throws {ModelError} when it is none that we know */
export function describeKerasConfig(
  modelConfig: unknown,
  { keepForeignLayers = false, kerasVersion = '' }: KerasModelOptions = {},
): ModelDescription {
  const parsed = sequentialSchema.safeParse(modelConfig);
  if (!parsed.success) {
    const className = classNameSchema.safeParse(modelConfig);
    throw new ModelError(
      className.success && className.data.class_name !== 'Sequential'
        ? `a ${className.data.class_name} model`
        : `a model_config with another ${parsed.error.issues[0]?.path.join('.') || 'structure'} than Keras writes`,
    );
  }
  const { config } = parsed.data;
  const {
    layers,
    name = 'sequential',
    build_input_shape: buildShape,
    ...settings
  } = Array.isArray(config) ? { layers: config } : config;
  new KerasSettings(`model ${name}`, settings).requireAllRead();
  for (const each of layers) requireKerasClass(each);
  const givenShape = findInputShape(layers[0]?.config ?? {}, buildShape);
  // [h, w] images are [h, w, 1].
  const inputShape = givenShape.length === 2 ? [...givenShape, 1] : givenShape;
  for (const layer of layers) if (layer.class_name === INPUT) requirePlainInput(layer);
  const own = layers.filter((layer) => layer.class_name !== INPUT);
  const known = own.map((layer) => (keepForeignLayers ? parseAnyLayer(layer) : parseKerasLayer(layer)));
  const trainingObstacles = own.flatMap(findTrainingObstacles);
  const description = {
    name,
    inputShape,
    layers: known,
    ...(trainingObstacles.length === 0 ? {} : { trainingObstacles }),
  };
  if (foreignLayers(description).length > 0) {
    if (kerasVersion.startsWith('3')) foreignLayers(description).forEach(requireOldMeaning);
    // They may insist on [h, w].
    return givenShape.length === 2 ? { ...description, withoutChannel: true } : description;
  }
  shapeLayers(description);
  return description;
}

function parseAnyLayer(layer: KerasLayer): Layer {
  try {
    return parseKerasLayer(layer);
  } catch (error) {
    if (!(error instanceof ModelError)) throw error;
    return { kind: 'foreign', name: kerasLayerName(layer), reason: error.message, keras: layer };
  }
}

/** Only the layers of Keras 2 are those of TensorFlow.js. @throws {ModelError} for what Keras 3 computes otherwise */
function requireOldMeaning({ name, keras }: ForeignLayer): void {
  const [, key] = /"([a-z_]*activation)":"hard_sigmoid"/.exec(JSON.stringify(keras)) ?? [];
  if (key === undefined) return;
  throw new ModelError(
    `layer ${name} (${keras.class_name}): ${key} "hard_sigmoid" of Keras 3 is not supported, only that of Keras 2`,
  );
}

function findInputShape(first: Readonly<Record<string, unknown>>, buildShape: unknown): readonly number[] {
  const batchShape = first.batch_input_shape ?? first.batch_shape ?? buildShape;
  const given = Array.isArray(batchShape)
    ? batchShape.slice(1)
    : typeof first.input_dim === 'number'
      ? [first.input_dim]
      : undefined;
  const shape = inputShapeSchema.safeParse(given);
  if (!shape.success)
    throw new ModelError(
      given === undefined
        ? 'no input shape: begin the model with keras.Input, or build it, before it is saved'
        : `an input shape that is not fixed: ${JSON.stringify(given)}`,
    );
  return shape.data;
}

function checkWeights(description: ModelDescription, file: KerasFile): void {
  const parameters = modelParameters(description);
  if (parameters.length !== file.weights.length) {
    throw new ModelError(`${file.weights.length} weight arrays where the layers have ${parameters.length}`);
  }
  for (const [index, parameter] of parameters.entries()) {
    const array = file.weights[index];
    if (array === undefined || formatShape(array.shape) === formatShape(parameter.shape)) continue;
    throw new ModelError(
      `weight ${array.name} of shape ${formatShape(array.shape)} where layer ${parameter.layer} has a ${parameter.role} of ${formatShape(parameter.shape)}`,
    );
  }
}

/** The `model_config` of a description, in the dialect of Keras 2, which Keras 3 reads too. */
export function kerasConfig(description: ModelDescription): unknown {
  const { inputShape, withoutChannel = false } = description;
  const shape = withoutChannel ? inputShape.slice(0, -1) : inputShape;
  const input = {
    class_name: INPUT,
    config: { name: 'input', batch_input_shape: [null, ...shape], dtype: 'float32' },
  };
  return {
    class_name: 'Sequential',
    config: { name: description.name, layers: [input, ...description.layers.map(kerasLayer)] },
  };
}

function kerasLayer(layer: Layer): { readonly class_name: string; readonly config: object } {
  const base = { name: layer.name, trainable: true, dtype: 'float32' };
  const window = (each: { readonly strides: Extent; readonly padding: string }) => ({
    strides: each.strides,
    padding: each.padding,
    data_format: 'channels_last',
  });
  switch (layer.kind) {
    case 'conv2d': {
      const { filters, kernel, useBias, activation } = layer;
      return {
        class_name: 'Conv2D',
        config: { ...base, filters, kernel_size: kernel, ...window(layer), use_bias: useBias, activation },
      };
    }
    case 'maxPooling2d':
    case 'averagePooling2d':
      return {
        class_name: layer.kind === 'maxPooling2d' ? 'MaxPooling2D' : 'AveragePooling2D',
        config: { ...base, pool_size: layer.pool, ...window(layer) },
      };
    case 'globalAveragePooling2d':
      return { class_name: 'GlobalAveragePooling2D', config: { ...base, data_format: 'channels_last' } };
    case 'flatten':
      return { class_name: 'Flatten', config: { ...base, data_format: 'channels_last' } };
    case 'dense':
      return {
        class_name: 'Dense',
        config: { ...base, units: layer.units, use_bias: layer.useBias, activation: layer.activation },
      };
    case 'foreign':
      return layer.keras;
    case 'dropout':
      return { class_name: 'Dropout', config: { ...base, rate: layer.rate } };
    case 'activation':
      return { class_name: 'Activation', config: { ...base, activation: layer.activation } };
    case 'batchNormalization': {
      const { axis, momentum, epsilon, center, scale } = layer;
      return {
        class_name: 'BatchNormalization',
        config: { ...base, axis, momentum, epsilon, center, scale },
      };
    }
  }
}
