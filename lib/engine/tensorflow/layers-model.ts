/** A model of ours as a model of tf.layers, with its weights in Keras' order. */
import type * as Tf from '@tensorflow/tfjs';
import { ModelError } from '../../core/errors.js';
import { formatShape, type Weights } from '../../core/weights.js';
import type { LossSettings } from '../../federation/loss.js';
import { kerasConfig } from '../../model/keras/keras-model.js';
import { foreignLayers } from '../../model/layers/foreign.js';
import { innerLayers, type NamedLayer } from '../../model/layers/layer-module.js';
import type { Layer } from '../../model/layers/registry.js';
import { moduleOf } from '../../model/layers/registry.js';
import { layerOfCall, type Model, type ModelDescription } from '../../model/model-description.js';
import { isActivation, planOperations } from '../../model/operations.js';
import { modelParameters } from '../../model/parameters.js';
import { lossModule } from '../../model/tasks/losses.js';
import { asTensorflowTakes, requireTaken } from './keras-dialect.js';
import { requireKnown } from './known-layers.js';

/** A built model and its variables, in the order of our weights. */
export interface LayersModel {
  readonly model: Tf.LayersModel;
  readonly variables: readonly Tf.LayerVariable[];
  dispose(): void;
}

/**
 * Builds `description` and fills in `weights`.
 *
 * @param rowSeeds one random word for each example of the current step, for a model that is to be trained
 * @throws {ModelError} when TensorFlow.js does not know a layer or a setting, or the weights do not fit
 */
export async function buildLayersModel(
  tf: typeof Tf,
  description: ModelDescription,
  { weights, rowSeeds = noSeeds }: { readonly weights: Weights; readonly rowSeeds?: () => Uint32Array },
): Promise<LayersModel> {
  requireKnown(description);
  if (rowSeeds !== noSeeds) requireGradients(description);
  const model = await fromConfig(tf, description);
  const { operations } = planOperations(description);
  for (const layer of description.layers) {
    const salt = operations.findIndex((each) => each.layer.name === layer.name);
    const place = { tf, planned: operations[salt]?.layer, salt, rowSeeds };
    moduleOf(layer).correctTensorflow?.(layer, { ...place, built: model.getLayer(layer.name) });
  }
  const variables = variablesOf(model, description);
  const dispose = () => {
    model.dispose();
  };
  try {
    requireTaken(model, foreignLayers(description));
    writeWeights(tf, variables, weights);
  } catch (error) {
    dispose();
    throw error;
  }
  return { model, variables, dispose };
}

/** The variables in the order of our weights: a model lists all trainable ones first, a layer its own in Keras' order. */
function variablesOf(model: Tf.LayersModel, description: ModelDescription): readonly Tf.LayerVariable[] {
  const ofLayer = (name: string) => model.getLayer(name).weights as Tf.LayerVariable[];
  // Only the layers themselves know what foreign ones have.
  if (foreignLayers(description).length > 0) return description.layers.flatMap(({ name }) => ofLayer(name));
  const taken = new Map<string, number>();
  return modelParameters(description).map(({ layer }) => {
    const at = taken.get(layer) ?? 0;
    taken.set(layer, at + 1);
    return ofLayer(layer)[at] as Tf.LayerVariable;
  });
}

const noSeeds = (): never => {
  throw new Error('prediction draws no random numbers');
};

/** A copy of the current weights, in the arrays of `into`, where given, else in new ones; names and shapes as `like`. */
export async function readWeights(
  { variables }: LayersModel,
  { like, into }: { readonly like: Weights; readonly into?: Weights | undefined },
): Promise<Weights> {
  return Promise.all(
    like.map(async ({ name, shape }, index) => {
      const data = (await (variables[index] as Tf.LayerVariable).read().data()) as Float32Array;
      const given = into?.[index];
      // A copy: a backend may hand out the memory that it computes on.
      if (given === undefined) return { name, shape, values: Float32Array.from(data) };
      given.values.set(data);
      return given;
    }),
  );
}

/** The tensors of `count` examples, one for each input, shaped as `model` takes them. */
export function inputTensors(
  tf: typeof Tf,
  inputs: readonly Float32Array[],
  { model, count }: { readonly model: Tf.LayersModel; readonly count: number },
): Tf.Tensor[] {
  return model.inputs.map(({ shape }, index) =>
    tf.tensor(inputs[index] as Float32Array, [count, ...(shape.slice(1) as number[])], 'float32'),
  );
}

/** @throws {ModelError} naming a layer that it can predict with only */
function requireGradients({ layers }: ModelDescription): void {
  for (const layer of layers) {
    const lacking = moduleOf(layer).notTrainedByTensorflow?.(layer);
    if (lacking !== undefined) throw new ModelError(`layer ${layer.name}: TensorFlow.js has no ${lacking}`);
  }
}

/** Regularizers and constraints are the session's, those of layers inside of a layer too. */
function withoutTerms<L extends NamedLayer>(layer: L): L {
  const { training, ...others } = layer;
  const inside = new Set<unknown>(innerLayers(others));
  const fields = Object.entries(others).map(([field, value]) => [
    field,
    inside.has(value) ? withoutTerms(value as NamedLayer) : value,
  ]);
  return {
    ...Object.fromEntries(fields),
    ...(training?.isFrozen ? { training: { isFrozen: true } } : {}),
  } as L;
}

/** The JSON of a model, which TensorFlow.js builds it from. */
export function modelTopology(description: ModelDescription): unknown {
  const layers = description.layers.map(withoutTerms);
  return asTensorflowTakes(kerasConfig({ ...description, layers }));
}

async function fromConfig(tf: typeof Tf, description: ModelDescription): Promise<Tf.LayersModel> {
  // It takes any JSON of Keras, and its type asks for a part of what it takes.
  const config = { modelTopology: modelTopology(description) } as Parameters<
    typeof tf.models.modelFromJSON
  >[0];
  try {
    return await tf.models.modelFromJSON(config);
  } catch (error) {
    // Its advice on classes of one's own in JavaScript helps nobody who has a file.
    const said = error instanceof Error ? error.message.split('\n')[0] : String(error);
    const reason = said?.replace(/\. This may be due to .*$/, '');
    const foreign = foreignLayers(description).map((layer) => layer.reason);
    const why = foreign.length === 0 ? '' : ` (${foreign.join('; ')})`;
    throw new ModelError(`one that TensorFlow.js cannot build: ${reason}${why}`, { cause: error });
  }
}

/** Fills the variables of a model. @throws {ModelError} where the weights do not fit */
export function writeWeights(tf: typeof Tf, variables: readonly Tf.LayerVariable[], weights: Weights): void {
  if (variables.length !== weights.length) {
    throw new ModelError(`${weights.length} weight arrays where the layers have ${variables.length}`);
  }
  for (const [index, { name, shape, values }] of weights.entries()) {
    const variable = variables[index] as Tf.LayerVariable;
    const wanted = formatShape(variable.shape as number[]);
    if (wanted !== formatShape(shape)) {
      throw new ModelError(
        `weight ${name} of shape ${formatShape(shape)} where the layer has one of ${wanted}`,
      );
    }
    tf.tidy(() => {
      // A copy: the cpu backend would compute on the caller's array.
      variable.write(tf.tensor(values.slice(), [...shape]));
    });
  }
}

/**
 * The description of a `model` whose outputs the loss is computed from: without the activation that makes probabilities
 * of logits, where the loss takes logits.
 *
 * @throws {ModelError} where the loss takes probabilities, and the model gives none
 */
export function lossDescription({ description }: Model, loss: LossSettings): ModelDescription {
  const { logitsOf } = lossModule(loss);
  const { calls, layers, outputs } = description;
  if (outputs.length > 1)
    throw new ModelError(`TensorFlow.js trains no model of ${outputs.length} outputs here`);
  if (logitsOf === undefined || loss.fromLogits) return description;
  const called = (value: string | undefined) => calls.find(({ output }) => output === value);
  let end = called(outputs[0]);
  while (end !== undefined && isActivation(layerOfCall(description, end), 'linear'))
    end = called(end.inputs[0]);
  const last = end && layerOfCall(description, end);
  if (end !== undefined && isActivation(last, logitsOf)) {
    const kept = calls.slice(0, calls.indexOf(end));
    const used = layers.filter(({ name }) => kept.some((call) => call.layer === name));
    return { ...description, layers: used, calls: kept, outputs: end.inputs };
  }
  if (end !== undefined && last !== undefined && 'activation' in last && last.activation === logitsOf) {
    const linear = layers.map((layer) =>
      layer === last ? { ...last, activation: 'linear' as const } : layer,
    );
    return { ...description, layers: linear as readonly Layer[] };
  }
  throw new ModelError(`the last layer of the model must be a ${logitsOf}`);
}
