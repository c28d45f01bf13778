/** Where a training starts, from its files: the shard, and the global model or the seeded initial one. */
import { checkTraining } from '../lib/cli/strategy-options.js';
import { shareImages } from '../lib/core/weights.js';
import type { Examples } from '../lib/federation/examples.js';
import { readSharedShard, type Tell } from '../lib/formats/data/dataset.js';
import { readFileBytes, sha256 } from '../lib/formats/files/read-file.js';
import { decodeKerasFile, encodeKerasFile } from '../lib/formats/keras/keras-hdf5.js';
import { scaleBeside } from '../lib/formats/manifest.js';
import { modelFromKeras } from '../lib/model/keras/keras-model.js';
import { fitScale, requireFit } from '../lib/model/model-input.js';
import { type InitialModel, makeInitialModel } from './initial-model.js';
import { type StartingOptimizer, startingOptimizer } from './starting-optimizer.js';
import type { TrainRequest } from './train-request.js';

/** A model, its file and the sha256 of that. */
interface GlobalModel extends InitialModel {
  readonly parent: string;
}

/** What a training starts from. */
export interface StartingPoint extends GlobalModel, StartingOptimizer {
  /** Of the shard, in memory that threads share. */
  readonly examples: Examples;
}

/** Reads what `request` names. @throws {DataError} when a file is missing or damaged, or model and shard do not fit */
export async function readStartingPoint(request: TrainRequest, tell: Tell): Promise<StartingPoint> {
  // The model is read here and not in the training thread: HDF5's library is loaded once, since the update needs it too.
  const [examples, given] = await Promise.all([
    readSharedShard(request.data, { part: 'train', tell }),
    request.init === undefined ? undefined : readGlobalModel(request.init),
  ]);
  const global = given ?? (await initialModel(request, examples));
  requireFit(global.model, examples, request.data);
  const path = request.init ?? request.data;
  const optimizer = startingOptimizer(request.optimizer, { file: global.file, path });
  if (request.strategy !== undefined) checkTraining(request.strategy, { ...request, ...optimizer });
  const isUsual = given?.file.scale === undefined && examples.images instanceof Uint8Array;
  if (given === undefined || isUsual) return { ...global, examples, ...optimizer };
  const known = await scaleBeside(request.data);
  const fitted = fitScale(examples, { scale: given.file.scale, path: request.data, known, tell });
  const images = fitted === examples ? examples.images : shareImages(fitted.images);
  return { ...global, examples: { ...fitted, images }, ...optimizer };
}

async function readGlobalModel(path: string): Promise<GlobalModel> {
  const bytes = await readFileBytes(path, 'the global model (h5)');
  const { update: _parentsOwnFacts, ...file } = await decodeKerasFile(bytes, path);
  return {
    file,
    model: modelFromKeras(file, path, { keepForeignLayers: true, forTraining: true }),
    parent: sha256(bytes),
  };
}

async function initialModel(request: TrainRequest, examples: Examples): Promise<GlobalModel> {
  const initial = await makeInitialModel(examples, request.data, request);
  return { ...initial, parent: sha256(await encodeKerasFile(initial.file)) };
}
