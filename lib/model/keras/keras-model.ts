/** From a Keras file to a model that engines take, and from a description to the config that Keras takes. */
import { z } from 'zod';
import { inFile, ModelError } from '../../core/errors.js';
import { formatShape, type Weights } from '../../core/weights.js';
import { needsKeras3 } from '../layers/activation.js';
import { type ForeignLayer, foreignLayers } from '../layers/foreign.js';
import { type Layer, moduleOf } from '../layers/registry.js';
import { isChain, type Model, type ModelDescription, type NamedInput } from '../model-description.js';
import { modelParameters, requireTrainable } from '../parameters.js';
import { requireUsable } from '../tasks/task.js';
import { isInteger, type KerasGraph, readKerasGraph } from './keras-graph.js';
import { findTrainingObstacles, kerasLayer, kerasLayerName, parseKerasLayer } from './keras-layers.js';
import type { KerasObject } from './keras-settings.js';

/** A Keras model as its file holds it. */
interface KerasModelFile {
  /** `model_config`, parsed but not interpreted. */
  readonly modelConfig: unknown;
  /** In the order of the layers. */
  readonly weights: Weights;
  /** Of the writer. */
  readonly kerasVersion: string;
}

const inputShapeSchema = z.array(z.number().int().positive()).min(1).max(4);

/**
 * The model in a Keras file: its layers, its weights checked against them, and all that every program asks of a model.
 *
 * @param path what errors call the file
 * @param options see {@link KerasModelOptions}
 * @throws {DataError} when the architecture is not a Sequential of known layers, the weights do not fit it, or it
 *   holds no numbers to compute with
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
    requireUsable(model, path);
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

/**
 * The description in a Keras `model_config`. The layers of a model in the model are called after both, `inner_dense`.
 *
 * @throws {ModelError} when it is none that we know
 */
export function describeKerasConfig(
  modelConfig: unknown,
  { keepForeignLayers = false, kerasVersion = '' }: KerasModelOptions = {},
): ModelDescription {
  const graph = readKerasGraph(modelConfig);
  const layers = graph.layers.map((layer) =>
    (keepForeignLayers ? parseAnyLayer : parseKerasLayer)(layer, { kerasVersion }),
  );
  const trainingObstacles = graph.layers.flatMap((each) => findTrainingObstacles(each));
  const { name, calls, outputs, nested } = graph;
  const description = {
    name,
    inputs: graph.inputs.map((input) => describeInput(input, { calls, layers })),
    layers,
    calls,
    outputs,
    ...(nested.length === 0 ? {} : { nested }),
    ...(trainingObstacles.length === 0 ? {} : { trainingObstacles }),
  };
  if (foreignLayers(description).length === 0) modelParameters(description);
  else if (kerasVersion.startsWith('3')) foreignLayers(description).forEach(requireOldMeaning);
  return description;
}

function describeInput(
  { name, shape: given, dtype }: KerasGraph['inputs'][number],
  { calls, layers }: Pick<ModelDescription, 'calls' | 'layers'>,
): NamedInput {
  const shape = inputShapeSchema.safeParse(given);
  if (!shape.success)
    throw new ModelError(
      given === undefined
        ? 'no input shape: begin the model with keras.Input, or build it, before it is saved'
        : `an input shape that is not fixed: ${JSON.stringify(given)}`,
    );
  const readers = calls.filter(({ inputs }) => inputs.includes(name));
  const onlyReshapes = readers.every((call) => {
    const layer = layers.find((each) => each.name === call.layer);
    return layer !== undefined && moduleOf(layer).onlyReshapes === true;
  });
  return {
    name,
    // To what only changes the shape, [h, w] images are [h, w, 1].
    shape: shape.data.length === 2 && onlyReshapes ? [...shape.data, 1] : shape.data,
    ...(isInteger(dtype) ? { isInteger: true } : {}),
  };
}

function parseAnyLayer(layer: KerasObject, writer: { readonly kerasVersion: string }): Layer {
  try {
    return parseKerasLayer(layer, writer);
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
  const { name, layers, calls } = description;
  const inputs = description.inputs.map(({ name: input, shape, isInteger: isWhole = false }) => ({
    class_name: 'InputLayer',
    config: { name: input, batch_input_shape: [null, ...shape], dtype: isWhole ? 'int32' : 'float32' },
  }));
  if (isChain(description)) {
    return { class_name: 'Sequential', config: { name, layers: [...inputs, ...layers.map(kerasLayer)] } };
  }
  const place = (value: string) => {
    const call = calls.find(({ output }) => output === value);
    if (call === undefined) return [value, 0, 0];
    return [call.layer, calls.filter(({ layer }) => layer === call.layer).indexOf(call), 0];
  };
  const nodes = (layer: Layer) =>
    calls
      .filter((call) => call.layer === layer.name)
      .map((call) => call.inputs.map((each) => [...place(each), {}]));
  return {
    class_name: 'Functional',
    config: {
      name,
      layers: [
        ...inputs.map((input) => ({ ...input, name: input.config.name, inbound_nodes: [] })),
        ...layers.map((layer) => ({ ...kerasLayer(layer), name: layer.name, inbound_nodes: nodes(layer) })),
      ],
      input_layers: description.inputs.map((input) => place(input.name)),
      output_layers: description.outputs.map(place),
    },
  };
}

/** The version of Keras whose dialect a description is written in, for its file. */
export const writtenVersion = (description: ModelDescription): string =>
  needsKeras3(description) ? '3.0.0' : '2.15.0';
