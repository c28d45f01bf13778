/** Where a training starts, from its files: the shard, and the global model or the seeded initial one. */
import { existsSync } from 'node:fs';
import { basename } from 'node:path';
import type { HeldOutPart } from '../lib/engine/held-out.js';
import { type StartingOptimizer, startingOptimizer } from '../lib/engine/starting-optimizer.js';
import { startingTask, taskNotes, testingTask } from '../lib/engine/starting-task.js';
import { type Examples, imagesIn } from '../lib/federation/examples.js';
import type { AskedLoss } from '../lib/federation/loss.js';
import { readSharedShard, shareExamples, type Tell } from '../lib/formats/data/dataset.js';
import { sha256 } from '../lib/formats/files/read-file.js';
import { encodeKerasFile } from '../lib/formats/keras/keras-hdf5.js';
import { listedBeside, manifestBeside, scaleListed } from '../lib/formats/manifest-facts.js';
import { fitScale } from '../lib/model/model-input.js';
import type { Task } from '../lib/model/tasks/task.js';
import { lossAsked } from '../lib/settings/parts/training.js';
import type { Naming } from '../lib/settings/setting.js';
import { readPrepared } from '../lib/task-file/prepared-examples.js';
import { judgingTask, readTask, type TaskFile, withTask } from '../lib/task-file/read-task.js';
import { makeInitialModel, readGivenModel, type StartingModel } from './initial-model.js';
import type { Remembering, RoundStart } from './remembering.js';
import type { TrainRequest } from './train-worker.js';

/** What a training starts from. */
export interface StartingPoint extends StartingModel, StartingOptimizer {
  /** Of the shard, in memory that threads share. */
  readonly examples: Examples;
  readonly task: Task;
  /** Where the strategy asks more of clients than training. */
  readonly remembering?: Remembering | undefined;
  /** What the client holds out, where it is tested. */
  readonly heldOut?: HeldOutPart | undefined;
}

/** Reads what `request` names. @throws {DataError} when a file is missing or damaged, or model and shard do not fit */
export async function readStartingPoint(
  request: TrainRequest,
  { tell, named }: { readonly tell: Tell; readonly named: Naming },
): Promise<StartingPoint> {
  // The model is read here and not in the training thread: HDF5's library is loaded once, since the update needs it too.
  const task = request.task === undefined ? undefined : await readTask(request.task);
  const wanted = { loss: lossAsked(request.training), optimizer: request.optimizer };
  const { loss: asked, optimizer: flags } = withTask(wanted, task);
  const options = { part: 'train', tell, read: readSharedShard } as const;
  const [{ examples: shard, isPreparedHere, listed }, given] = await Promise.all([
    readPrepared(request.data, { task, loss: asked }, options),
    request.init === undefined ? undefined : readGivenModel(request.init, request.initSha256),
  ]);
  const choice = { ...request, task, loss: asked, optimizer: flags };
  const path = request.init ?? request.task ?? request.data;
  const lesson = { examples: shard, data: request.data, asked };
  const { global, found, examples } = await judgingTask(task, request.data, async () => {
    const global = given ?? (await initialModel(shard, choice, isPreparedHere));
    const { task: found, examples } = startingTask({ ...global, path }, lesson);
    return { global, found, examples };
  });
  const { optimizer: chosen, notes } = startingOptimizer(flags, { file: global.file, path });
  const optimizer = { optimizer: chosen, notes: [...taskNotes(found), ...notes] };
  const remembering = await remember(request, { ...global, ...optimizer, named });
  const heldOut = await readHeldOut(request, { ...global, path, task, asked });
  const start = { ...global, task: found, ...optimizer, remembering, heldOut };
  const isUsual = given?.file.scale === undefined && imagesIn(examples)?.values instanceof Uint8Array;
  if (given === undefined || isUsual)
    return { ...start, examples: isPreparedHere ? shareExamples(examples) : examples };
  const known = scaleListed(await listed());
  const fitted = fitScale(examples, { scale: given.file.scale, path: request.data, known, tell });
  return { ...start, examples: shareExamples(fitted) };
}

/** What a held-out part is read and judged by. */
interface HeldOutReading extends Pick<StartingModel, 'model' | 'file'> {
  /** Of the model. */
  readonly path: string;
  readonly task: TaskFile | undefined;
  readonly asked: AskedLoss | undefined;
}

/** What the client holds out, as the model takes it. Of one that the split has left with nothing to hold out there is none. */
async function readHeldOut(
  { data, clientTest }: Pick<TrainRequest, 'data' | 'clientTest'>,
  { model, file, path, task: ofFile, asked }: HeldOutReading,
): Promise<HeldOutPart | undefined> {
  if (clientTest === undefined) return undefined;
  if (!existsSync(clientTest)) {
    const shards = (await listedBeside(data))?.shards ?? [];
    const shard = shards.find((each) => each.file === basename(data));
    if (shard !== undefined && shard.heldOut === undefined) return undefined;
  }
  // What is told of the shard holds for this part of it, too.
  const tell = () => undefined;
  const preparation = { task: ofFile, loss: asked };
  const { examples: read, listed } = await readPrepared(clientTest, preparation, { part: 'test', tell });
  const lesson = { examples: read, data: clientTest, asked, metrics: ofFile?.metrics, listed, tell };
  const { task, examples } = await testingTask({ model, file, path }, lesson);
  return { examples, task, model: path, data: clientTest };
}

/** Strategies are loaded where one is named. */
async function remember(request: TrainRequest, from: RoundStart): Promise<Remembering | undefined> {
  const { strategy } = request;
  if (strategy === undefined) return undefined;
  const { rememberFor } = await import('./remembering.js');
  return rememberFor({ ...request, strategy }, from);
}

async function initialModel(
  examples: Examples,
  choice: Omit<TrainRequest, 'task'> & Pick<Parameters<typeof makeInitialModel>[2], 'task' | 'loss'>,
  isPreparedHere: boolean,
): Promise<StartingModel> {
  const manifest = isPreparedHere ? undefined : await manifestBeside(choice.data);
  const initial = await makeInitialModel(examples, choice.data, { ...choice, manifest });
  return { ...initial, parent: sha256(await encodeKerasFile(initial.file)) };
}
