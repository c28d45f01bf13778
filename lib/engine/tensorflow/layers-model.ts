/** A model of ours as a model of tf.layers, with its weights in Keras' order. */
import type * as Tf from '@tensorflow/tfjs';
import { formatShape, type Weights } from '../../core/weights.js';
import { kerasLayer } from '../../model/keras/keras-layers.js';
import { kerasConfig } from '../../model/keras/keras-model.js';
import { foreignLayers } from '../../model/layers/foreign.js';
import { moduleOf } from '../../model/layers/registry.js';
import type { Model, ModelDescription } from '../../model/model-description.js';
import { ModelError } from '../../model/model-error.js';
import { isActivation, planOperations } from '../../model/operations.js';
import type { LossSettings } from '../../model/tasks/loss-module.js';
import { lossModule } from '../../model/tasks/losses.js';
import { asTensorflowTakes, requireTaken } from './keras-dialect.js';

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
  const model = await fromConfig(tf, description);
  const operations = planOperations(description);
  for (const layer of description.layers) {
    const salt = operations.findIndex(({ name }) => name === layer.name);
    const place = { tf, planned: operations[salt], salt, rowSeeds };
    moduleOf(layer).correctTensorflow?.(layer, { ...place, built: model.getLayer(layer.name) });
  }
  // A model lists all trainable arrays first, a layer its own in Keras' order.
  const variables = model.layers.flatMap((layer) => layer.weights as Tf.LayerVariable[]);
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
): readonly Tf.Tensor[] {
  return model.inputs.map(({ shape }, index) =>
    tf.tensor(inputs[index] as Float32Array, [count, ...(shape.slice(1) as number[])], 'float32'),
  );
}

/** @throws {ModelError} naming a layer, or the activation of one, that the ONNX engine has and TensorFlow.js has not */
function requireKnown(tf: typeof Tf, { layers }: ModelDescription): void {
  const { classNameMap } = tf.serialization.SerializationMap.getMap();
  for (const layer of layers) {
    if (layer.kind === 'foreign') continue;
    const { class_name: className } = kerasLayer(layer);
    const unknown = `layer ${layer.name} (${className}): TensorFlow.js has no`;
    if (!Object.hasOwn(classNameMap, className)) throw new ModelError(`${unknown} such layer`);
    const lacking = moduleOf(layer).notInTensorflow?.(layer);
    if (lacking !== undefined) throw new ModelError(`${unknown} ${lacking}`);
    if ('activation' in layer && !Object.hasOwn(classNameMap, layer.activation))
      throw new ModelError(`${unknown} activation ${layer.activation}`);
  }
}

async function fromConfig(tf: typeof Tf, description: ModelDescription): Promise<Tf.LayersModel> {
  requireKnown(tf, description);
  // It takes any JSON of Keras, and its type asks for a part of what it takes.
  const config = { modelTopology: asTensorflowTakes(kerasConfig(description)) } as Parameters<
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
  if (logitsOf === undefined || loss.fromLogits) return description;
  const end = description.layers.findLastIndex((layer) => !isActivation(layer, 'linear'));
  const last = description.layers[end];
  const others = description.layers.slice(0, Math.max(0, end));
  if (isActivation(last, logitsOf)) return { ...description, layers: others };
  if (last !== undefined && 'activation' in last && last.activation === logitsOf) {
    return { ...description, layers: [...others, { ...last, activation: 'linear' }] };
  }
  throw new ModelError(`the last layer of the model must be a ${logitsOf}`);
}
