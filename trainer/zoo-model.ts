/** A seeded model of the zoo for examples: what they, their split and what is asked for say of its inputs and its end. */
import { DataError } from '../lib/core/errors.js';
import { formatShape, sizeOf } from '../lib/core/weights.js';
import { type ExampleInput, type Examples, tokensIn } from '../lib/federation/examples.js';
import type { AskedLoss } from '../lib/federation/loss.js';
import { flatImagesLine } from '../lib/formats/data/input-array.js';
import type { KerasFile } from '../lib/formats/keras/keras-file.js';
import type { Manifest } from '../lib/formats/manifest.js';
import { kerasConfig } from '../lib/model/keras/keras-model.js';
import type { Model } from '../lib/model/model-description.js';
import { inputShapeOf } from '../lib/model/model-input.js';
import {
  describeModel,
  IMAGE_MODELS,
  MODEL_NAMES,
  type ModelName,
  type ModelTask,
  ROW_MODELS,
  SCALED_MODELS,
  TOKEN_MODELS,
} from '../lib/model/model-zoo.js';
import { initialWeights } from '../lib/model/parameters.js';
import type { RowInput } from '../lib/model/side-by-side.js';
import { headFor } from '../lib/model/tasks/task.js';
import { DEFAULT_MODEL, type ModelValues } from '../lib/settings/parts/data.js';
import type { TaskFile } from '../lib/task-file/read-task.js';

/** Keras 2's last version: the dialect in which we write `model_config`. */
export const KERAS_VERSION = '2.15.0';

/** A model and the file that it makes. */
export interface InitialModel {
  readonly model: Model;
  readonly file: KerasFile;
}

/** Which model is wanted. */
export interface ZooModelOptions {
  readonly model: ModelValues;
  readonly task?: TaskFile | undefined;
  readonly seed: number;
  /** Number of classes; else that of the manifest, else the examples' highest label + 1. */
  readonly classes?: number | undefined;
  /** What the split of the examples says of them all. */
  readonly manifest?: Manifest | undefined;
  /** The loss that is asked for: the file then says it, with the optimizer, as one of a compiled model does. */
  readonly loss?: AskedLoss | undefined;
}

/** A model of the zoo for examples. @throws {DataError} when it is not one for these */
export function zooModel(
  { inputs, targets: [targets, ...furtherTargets] }: Examples,
  path: string,
  { model, task, seed, loss, manifest, classes = manifest?.classes }: ZooModelOptions,
): InitialModel {
  const ofTask = typeof task?.model === 'object' && 'zoo' in task.model ? task.model : undefined;
  const name = ofTask?.zoo ?? model.name ?? DEFAULT_MODEL;
  const hidden = ofTask?.hidden ?? model.hidden?.split(',').map(Number);
  if (furtherTargets.length > 0) {
    const names = [targets, ...furtherTargets].map((each) => each.name);
    const found = `${names.length}: ${names.join(', ')}; bring a model of your own with --init`;
    throw new DataError({ file: path, expected: `targets of one output for the model ${name}`, found });
  }
  // What its output will be called is not known yet.
  const asked = loss && 'name' in loss ? loss : undefined;
  const head = headFor(targets, { asked, classes });
  if (head.activation === 'softmax' && head.outputs < 2) {
    const expected = 'labels of at least 2 classes, or --classes <n>';
    throw new DataError({ file: path, expected, found: 'label 0 alone' });
  }
  const [input, ...others] = inputs;
  const rows = ROW_MODELS.includes(name) ? rowInputs(inputs, { manifest, path }) : undefined;
  if (others.length > 0 && rows === undefined) {
    const found = `${inputs.length}: ${inputs.map(({ name: each }) => each).join(', ')}`;
    const expected = `one input for the model ${name}; ${ROW_MODELS.join(', ')} takes several`;
    throw new DataError({ file: path, expected, found });
  }
  const inputShape = inputShapeOf(input);
  requireImages(name, inputShape, path);
  const tokens = TOKEN_MODELS.includes(name) ? tokensFor(name, input, { manifest, path }) : undefined;
  const scale = SCALED_MODELS.includes(name) ? factsOf(input, manifest)?.statistics : undefined;
  // Of the losses of numbers; a cross-entropy from logits is linear, too.
  const isMeasured = head.activation === 'linear' && !asked?.fromLogits && SCALED_MODELS.includes(name);
  const targetScale = isMeasured ? manifest?.targets?.statistics : undefined;
  const made = { inputShape, ...head, tokens, scale, targetScale, inputs: rows };
  return newModel(name, { task: made, seed, hidden });
}

/** More rows than any embedding of words has (of a billion numbers that are 64 GB); such numbers are quantities. */
const MAX_TOKENS = 1_000_000;

/**
 * The inputs of a model that takes a row of them, where there are several or the one is of categories. Whole numbers
 * of several are categories; quantities are floats.
 */
function rowInputs(
  inputs: Examples['inputs'],
  { manifest, path }: { readonly manifest: Manifest | undefined; readonly path: string },
): readonly RowInput[] | undefined {
  if (inputs.length === 1 && factsOf(inputs[0], manifest)?.categories === undefined) return undefined;
  return inputs.map((input) => {
    const below = belowOf(input, manifest);
    if (below !== undefined && below > MAX_TOKENS) {
      const expected = `categories below ${MAX_TOKENS} in the input ${input.name}, or numbers as float32`;
      throw new DataError({ file: path, expected, found: `${below - 1}` });
    }
    return {
      name: input.name,
      shape: inputShapeOf(input),
      below,
      scale: factsOf(input, manifest)?.statistics,
    };
  });
}

/** What the numbers of a sequence are below, where a model embeds them. @throws {DataError} for what is no sequence */
function tokensFor(
  name: ModelName,
  input: ExampleInput,
  { manifest, path }: { readonly manifest: Manifest | undefined; readonly path: string },
): number | undefined {
  const { shape, values } = input;
  const fault = (found: string) => {
    const expected = `sequences [n,t] of whole numbers from 0, below ${MAX_TOKENS}, or [n,t,...] for the model ${name}`;
    return new DataError({ file: path, expected, found });
  };
  if (shape.length < 2) throw fault(`inputs of shape ${formatShape(shape.slice(1))}`);
  if (shape.length > 2 || values instanceof Float32Array || values instanceof Float64Array) return undefined;
  const tokens = belowOf(input, manifest);
  if (tokens === undefined) throw fault(`${values.find((value) => value < 0)}`);
  if (tokens > MAX_TOKENS) throw fault(`${tokens - 1}`);
  return tokens;
}

/** What a split says of an input. */
const factsOf = ({ name }: ExampleInput, manifest: Manifest | undefined) =>
  manifest?.inputs?.find((each) => each.name === name);

/** What all whole numbers of an input are below; a shard alone may lack those of others. */
const belowOf = (input: ExampleInput, manifest: Manifest | undefined) =>
  factsOf(input, manifest)?.below ?? tokensIn(input);

/** @throws {DataError} where a model of convolutions is to take something else than images */
function requireImages(name: ModelName, inputShape: readonly number[], path: string): void {
  if (inputShape.length === 3 || !IMAGE_MODELS.includes(name)) return;
  const others = MODEL_NAMES.filter((each) => !IMAGE_MODELS.includes(each));
  const mend = inputShape.length === 1 ? flatImagesLine(path, sizeOf(inputShape)) : undefined;
  throw new DataError({
    file: path,
    expected: `images [n,h,w] or [n,h,w,c] for the model ${name}; ${others.slice(0, -1).join(', ')} and ${others.at(-1)} take any inputs`,
    found: `inputs of shape ${formatShape(inputShape)}`,
    mend,
  });
}

/** What a new model is for. */
interface NewModelFacts {
  readonly task: ModelTask;
  readonly seed: number;
  /** Units of the hidden layers of an mlp, where they are others than its own. */
  readonly hidden?: readonly number[] | undefined;
}

/** A model of the zoo with seeded weights, and its file. */
export function newModel(name: ModelName, { task, seed, hidden }: NewModelFacts): InitialModel {
  const description = describeModel(name, task, hidden);
  const weights = initialWeights(description, seed);
  const file = { modelConfig: kerasConfig(description), weights, kerasVersion: KERAS_VERSION };
  return { model: { description, weights }, file };
}
