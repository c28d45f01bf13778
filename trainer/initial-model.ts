/** The initial global model: what every client of round 1 starts from, seeded or out of a file. */
import { writeCompilation } from '../lib/engine/keras-compilation.js';
import { readModelFile } from '../lib/engine/model-file.js';
import { startingOptimizer } from '../lib/engine/starting-optimizer.js';
import { modelTask } from '../lib/engine/starting-task.js';
import type { Examples } from '../lib/federation/examples.js';
import { arrayNames, parseArchitecture, readArchitecture } from '../lib/formats/keras/keras-archive.js';
import type { KerasHead } from '../lib/formats/keras/keras-hdf5-reader.js';
import { dataNamesOf, modelScaleOf } from '../lib/formats/manifest-facts.js';
import { freshModelFromKeras } from '../lib/model/keras/fresh-model.js';
import { foundScale } from '../lib/model/model-input.js';
import { modelFile } from '../lib/settings/parts/data.js';
import type { OptimizerFlags } from '../lib/settings/parts/training.js';
import { type InitialModel, KERAS_VERSION, type ZooModelOptions, zooModel } from './zoo-model.js';

/** A model, its file and the sha256 of that. */
export interface StartingModel extends InitialModel {
  readonly parent: string;
}

/** Which initial model is wanted. */
interface InitialModelOptions extends ZooModelOptions {
  /** What is asked for of the optimizer. */
  readonly optimizer: OptimizerFlags;
}

/**
 * Makes the initial model for the examples at `data`: the one that is given, or a seeded one. All clients get the same.
 *
 * @throws {DataError} when a given model is none; whether it fits the examples, `startingTask` says
 */
export async function makeInitialModel(
  examples: Examples,
  data: string,
  options: InitialModelOptions,
): Promise<InitialModel> {
  const { loss, optimizer: flags, manifest, task, model: wanted } = options;
  const made = (await givenModel(options)) ?? zooModel(examples, data, options);
  const scale = manifest === undefined ? foundScale(examples) : modelScaleOf(manifest);
  const names = made.file.names ?? (manifest && dataNamesOf(manifest));
  const { metrics = made.file.metrics } = task ?? {};
  // A model that says nothing of its scale is trained on the data as they are.
  const file = { ...made.file, scale: made.file.scale ?? scale, names, metrics };
  const path = modelFile(wanted) ?? data;
  const named = loss === undefined || 'name' in loss ? loss : modelTask({ ...made, path }, loss).outputs;
  const isChosen = loss !== undefined || Object.keys(task?.optimizer ?? {}).length > 0;
  if (!isChosen) return { ...made, file };
  const { optimizer } = startingOptimizer(flags, { file, path });
  const kept = flags.optimizer === undefined ? file.trainingConfig : undefined;
  return { ...made, file: { ...file, trainingConfig: writeCompilation({ loss: named, optimizer }, kept) } };
}

/** The model of a file or a task; undefined where it is one of the zoo. @throws {DataError} when it is none that can be trained */
async function givenModel({ model, task, seed }: InitialModelOptions): Promise<InitialModel | undefined> {
  const { init, config } = model;
  if (init !== undefined) return readGivenModel(init);
  if (config !== undefined) return freshModel(await readArchitecture(config), config, seed);
  const given = task?.model;
  if (task === undefined || given === undefined || (typeof given === 'object' && 'zoo' in given))
    return undefined;
  if (typeof given === 'object') {
    // What says nothing of its dialect is as we write it.
    const text = JSON.stringify({ keras_version: KERAS_VERSION, ...given });
    return freshModel(parseArchitecture(text, task.path), task.path, seed);
  }
  return given.endsWith('.json')
    ? freshModel(await readArchitecture(given), given, seed)
    : readGivenModel(given);
}

/** The model of a file, to train on from. @throws {DataError} when it is none that can be trained, or another one than `known` by its sha256 */
export async function readGivenModel(path: string, known?: string): Promise<StartingModel> {
  const { file: given, model, sha256: parent } = await readModelFile(path, { forTraining: true, known });
  const { update: _parentsOwnFacts, ...file } = given;
  return { file, model, parent };
}

/** A model of an architecture alone, with seeded weights. @throws {DataError} when it is none that can be trained */
function freshModel(head: KerasHead, path: string, seed: number): InitialModel {
  const model = freshModelFromKeras(head.modelConfig, { path, seed, kerasVersion: head.kerasVersion });
  const names = arrayNames(head.modelConfig, path);
  // Layers in layers are called after both in a file.
  const isNamed = names.length === model.weights.length;
  const weights = model.weights.map((array, at) => ({
    ...array,
    name: (isNamed && names[at]) || array.name,
  }));
  return { model: { ...model, weights }, file: { ...head, weights } };
}
