/** From a Keras file to a model that engines take, and from a description to the config that Keras takes. */
import { z } from 'zod';
import { formatShape, type Weights } from '../../core/weights.js';
import { requireClassifier } from '../classifier.js';
import { type ForeignLayer, foreignLayers } from '../layers/foreign.js';
import type { Layer } from '../layers/registry.js';
import type { Model, ModelDescription } from '../model-description.js';
import { inFile, ModelError } from '../model-error.js';
import { modelParameters, requireTrainable, shapeLayers } from '../parameters.js';
import {
  findTrainingObstacles,
  kerasLayer,
  kerasLayerName,
  kerasLayerTitle,
  parseKerasLayer,
} from './keras-layers.js';
import { type KerasObject, KerasSettings, requireKerasClass } from './keras-settings.js';

/** A Keras model as its file holds it. */
interface KerasModelFile {
  /** `model_config`, parsed but not interpreted. */
  readonly modelConfig: unknown;
  /** In the order of the layers. */
  readonly weights: Weights;
  /** Of the writer. */
  readonly kerasVersion: string;
}

/** Keras' class of a model's input. */
const INPUT = 'InputLayer';

const layersSchema = z.array(
  z.object({
    class_name: z.string(),
    config: z.record(z.string(), z.unknown()),
    module: z.string().nullish(),
    registered_name: z.string().nullish(),
  }),
);
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
export function modelFromKeras(file: KerasModelFile, path: string, options?: KerasModelOptions): Model {
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
interface KerasModelOptions {
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
  for (const each of layers) requireKerasClass(each, `layer ${kerasLayerName(each)}`);
  const givenShape = findInputShape(layers[0]?.config ?? {}, buildShape);
  // [h, w] images are [h, w, 1].
  const inputShape = givenShape.length === 2 ? [...givenShape, 1] : givenShape;
  // An input that is no array of numbers says so.
  for (const layer of layers) {
    if (layer.class_name === INPUT) new KerasSettings(kerasLayerTitle(layer), layer.config).requireAllRead();
  }
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

function parseAnyLayer(layer: KerasObject): Layer {
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

function checkWeights(description: ModelDescription, file: KerasModelFile): void {
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
