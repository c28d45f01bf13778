/** Where a training starts, from its files: the shard, and the global model or the seeded initial one. */
import { UsageError } from '../lib/core/errors.js';
import type { Weights } from '../lib/core/weights.js';
import { shareImages } from '../lib/core/weights.js';
import { type StartingOptimizer, startingOptimizer } from '../lib/engine/starting-optimizer.js';
import { type ClientMemory, type ClientSide, gradientCorrection } from '../lib/federation/client-side.js';
import type { Examples } from '../lib/federation/examples.js';
import { clientSide } from '../lib/federation/strategies/strategy-settings.js';
import { readClientMemory } from '../lib/formats/client-memory.js';
import { readSharedShard, type Tell } from '../lib/formats/data/dataset.js';
import { readFileBytes, sha256 } from '../lib/formats/files/read-file.js';
import { decodeKerasFile, encodeKerasFile } from '../lib/formats/keras/keras-hdf5.js';
import { scaleBeside } from '../lib/formats/manifest.js';
import { modelFromKeras } from '../lib/model/keras/keras-model.js';
import { fitScale, requireFit } from '../lib/model/model-input.js';
import { checkTraining } from '../lib/settings/checks.js';
import { STRATEGY_NAME } from '../lib/settings/parts/strategy.js';
import type { Naming } from '../lib/settings/setting.js';
import { type InitialModel, makeInitialModel } from './initial-model.js';
import type { TrainRequest } from './train-request.js';

/** A model, its file and the sha256 of that. */
interface GlobalModel extends InitialModel {
  readonly parent: string;
}

/** What a training starts from. */
export interface StartingPoint extends GlobalModel, StartingOptimizer {
  /** Of the shard, in memory that threads share. */
  readonly examples: Examples;
  /** Where the strategy asks more of clients than training. */
  readonly remembering?: Remembering | undefined;
}

/** What a strategy asks of this client, and what it goes on from. */
export interface Remembering {
  readonly side: ClientSide;
  readonly memory: ClientMemory;
  readonly correction: Weights | undefined;
}

/** Reads what `request` names. @throws {DataError} when a file is missing or damaged, or model and shard do not fit */
export async function readStartingPoint(
  request: TrainRequest,
  { tell, named }: { readonly tell: Tell; readonly named: Naming },
): Promise<StartingPoint> {
  // The model is read here and not in the training thread: HDF5's library is loaded once, since the update needs it too.
  const [examples, given] = await Promise.all([
    readSharedShard(request.data, { part: 'train', tell }),
    request.init === undefined ? undefined : readGlobalModel(request.init),
  ]);
  const global = given ?? (await initialModel(request, examples));
  requireFit(global.model, examples, request.data);
  const path = request.init ?? request.data;
  const optimizer = startingOptimizer(request.optimizer, { file: global.file, path });
  const remembering = await remember(request, { ...global, ...optimizer, named });
  const isUsual = given?.file.scale === undefined && examples.images instanceof Uint8Array;
  if (given === undefined || isUsual) return { ...global, examples, ...optimizer, remembering };
  const known = await scaleBeside(request.data);
  const fitted = fitScale(examples, { scale: given.file.scale, path: request.data, known, tell });
  const images = fitted === examples ? examples.images : shareImages(fitted.images);
  return { ...global, examples: { ...fitted, images }, ...optimizer, remembering };
}

/** @throws {UsageError} when the strategy does not go with the training, or what its clients remember is not named */
async function remember(
  request: TrainRequest,
  {
    model,
    parent,
    optimizer,
    named,
  }: Pick<GlobalModel, 'model' | 'parent'> &
    Pick<StartingOptimizer, 'optimizer'> & { readonly named: Naming },
): Promise<Remembering | undefined> {
  const { strategy: name, client, round, init = '', volume } = request;
  const side = name && clientSide(name);
  if (name === undefined || side === undefined) return undefined;
  checkTraining(name, { optimizer, proximal: request.training.proximal ?? 0 }, named);
  if (side.keeps !== undefined && round > 1 && volume === undefined) {
    throw new UsageError(
      `${named(STRATEGY_NAME)} ${name} needs the state that server and client keep between rounds: name the run's volume.`,
    );
  }
  const { weights } = model;
  const global = { file: init, weights, sha256: parent };
  const memory = await readClientMemory({ strategy: name, side, client, round, global, volume });
  return { side, memory, correction: gradientCorrection(side, { like: weights, memory }) };
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
