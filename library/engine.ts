/**
 * The mathematics: choose an engine, open models, train them and predict with them, in memory.
 *
 * ```ts
 * import { createModel, openEngine, saveModel, trainLocally } from 'fedbatch/engine';
 * import { readShard } from 'fedbatch/files';
 *
 * const { engine } = await openEngine({ threads: 2 });
 * const model = createModel({ name: 'mlp', inputShape: [28, 28, 1], classes: 10, seed: 0 });
 * const optimizer = { kind: 'sgd', learningRate: 0.1, momentum: 0.9 } as const;
 * const session = await engine.createTrainingSession(model, { optimizer, seed: 0, threads: 2 });
 * await trainLocally(session, await readShard('data/0.npz'), { epochs: 1, batchSize: 50, seed: 0 });
 * await saveModel('trained.h5', { ...model, weights: await session.weights() });
 * await session.dispose();
 * ```
 *
 * @module
 */
import { isMainThread } from 'node:worker_threads';
import { chooseEngine } from '../lib/engine/choose-engine.js';
import type { Engine } from '../lib/engine/engine.js';
import { prepareEngines } from '../lib/engine/native-environment.js';
import type { KerasFile } from '../lib/formats/keras/keras-file.js';
import { readKerasFile, writeKerasFile } from '../lib/formats/keras/keras-hdf5.js';
import { modelFromKeras } from '../lib/model/keras/keras-model.js';
import type { Model, ModelDescription } from '../lib/model/model-description.js';
import type { ModelName } from '../lib/model/model-zoo.js';
import { type EngineChoice, engineChoice } from '../lib/settings/parts/engine.js';
import { availableCores } from '../lib/system/hardware.js';
import { newModel } from '../trainer/zoo-model.js';

export {
  DataError,
  type DataProblem,
  ExitCode,
  FedbatchError,
  ModelError,
  UsageError,
} from '../lib/core/errors.js';
export type { WeightArray, Weights } from '../lib/core/weights.js';
export {
  type Batch,
  type CountedAnswers,
  type Engine,
  EngineUnavailableError,
  type OptimizerSettings,
  type PredictSession,
  type StepResult,
  type TrainingSession,
  type TrainingSettings,
  type TrainingStart,
} from '../lib/engine/engine.js';
export {
  type Epoch,
  type LocalTrainingOptions,
  type LocalTrainingProgress,
  type LocalTrainingResult,
  trainLocally,
} from '../lib/engine/local-training.js';
export type { Extras } from '../lib/federation/client-side.js';
export type { UpdateFacts } from '../lib/federation/client-update.js';
export {
  type ExampleArray,
  type ExampleInput,
  type Examples,
  type ExampleTargets,
  type ExampleValues,
  labelledImages,
  type NamedTargets,
} from '../lib/federation/examples.js';
export type { BatchSize, LocalWork } from '../lib/federation/local-work.js';
export type { Losses, LossName, LossSettings, OutputLoss } from '../lib/federation/loss.js';
export type { KerasFile } from '../lib/formats/keras/keras-file.js';
export type { LayerCall, Model, ModelDescription, NamedInput } from '../lib/model/model-description.js';
export { batchInputs, batchTargets } from '../lib/model/model-input.js';
export { MODEL_NAMES, type ModelName } from '../lib/model/model-zoo.js';
export type { AdadeltaSettings } from '../lib/model/optimizers/adadelta.js';
export type { AdagradSettings } from '../lib/model/optimizers/adagrad.js';
export type { AdamSettings } from '../lib/model/optimizers/adam.js';
export type { AdamaxSettings } from '../lib/model/optimizers/adamax.js';
export type { LionSettings } from '../lib/model/optimizers/lion.js';
export type { NadamSettings } from '../lib/model/optimizers/nadam.js';
export type { RmspropSettings } from '../lib/model/optimizers/rmsprop.js';
export type { StepSchedule } from '../lib/model/optimizers/schedules.js';
export type { SgdSettings } from '../lib/model/optimizers/sgd.js';
export type { BackendName, EngineChoice, EngineName } from '../lib/settings/parts/engine.js';

/** Which engine is wanted, for what. */
export interface OpenEngineOptions {
  /** `auto` by default: the best that works here. */
  readonly choice?: EngineChoice;
  /** The model to run, where it is known: layers that only Keras has need TensorFlow. */
  readonly description?: ModelDescription;
  /** Processor threads that sessions will use; by default one for each core of this machine or container. */
  readonly threads?: number;
  /** Stops the trial that a GPU is put to first. */
  readonly signal?: AbortSignal;
}

/** A loaded engine, and why it is this one. */
export interface OpenedEngine {
  readonly engine: Engine;
  /** For people, e.g. `auto: there is no NVIDIA driver here`, or `as asked`. */
  readonly why: string;
}

/**
 * Loads an engine. What is asked for by name is loaded or refused, never replaced by another.
 *
 * @throws {EngineUnavailableError} with what to install, when it does not work here
 * @throws {UsageError} when the engine has no such backend
 */
export async function openEngine(options: OpenEngineOptions = {}): Promise<OpenedEngine> {
  const { choice = { name: 'auto' }, threads = availableCores(), ...model } = options;
  engineChoice(choice.name, choice.backend);
  // Native libraries read the environment of the main thread alone.
  if (isMainThread) prepareEngines({ threads });
  const { engine, why } = await chooseEngine(choice, model);
  return { engine, why };
}

/** A model, and the file that it was read from or makes. */
export interface FileModel extends Model {
  readonly file: KerasFile;
}

/** A new model of the zoo. */
export interface NewModelOptions {
  readonly name: ModelName;
  /** Shape of one image: `[h, w, c]`. */
  readonly inputShape: readonly [height: number, width: number, channels: number];
  /** Number of classes, at least 2. */
  readonly classes: number;
  /** Of the initial weights. */
  readonly seed: number;
}

/** Makes a model with seeded initial weights; the same options give the same weights. */
export function createModel({ name, inputShape, classes, seed }: NewModelOptions): FileModel {
  const { model, file } = newModel(name, { task: { inputShape, outputs: classes }, seed });
  return { ...model, file };
}

/**
 * Reads a model from a Keras file.
 *
 * @param forTraining refuses a model with settings that training would not respect
 * @throws {DataError} when the file is missing, damaged, or no model that fedbatch knows
 */
export async function loadModel(
  path: string,
  { forTraining = false }: { readonly forTraining?: boolean } = {},
): Promise<FileModel> {
  const file = await readKerasFile(path);
  return { ...modelFromKeras(file, path, { keepForeignLayers: true, forTraining }), file };
}

/**
 * Writes a model, with its weights as they are now, to a Keras file; atomically.
 *
 * @returns the sha256 of the file
 * @throws {StorageError} when the disk refuses
 */
export function saveModel(path: string, { file, weights }: FileModel): Promise<string> {
  const { update: _, extras: _extras, ...plain } = file;
  return writeKerasFile(path, { ...plain, weights });
}
