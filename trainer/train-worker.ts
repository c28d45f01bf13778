/** The trainer's worker thread: training steps block the thread that they run on, so they run here. */
import { parentPort, workerData } from 'node:worker_threads';
import { chooseEngine } from '../lib/engine/choose-engine.js';
import { modelFromKeras } from '../lib/engine/keras-model.js';
import { trainingSeed, trainLocally, usualBatch } from '../lib/engine/local-training.js';
import { requireFit } from '../lib/engine/task-from-data.js';
import { InterruptedError } from '../lib/federation/errors.js';
import type { Examples } from '../lib/federation/examples.js';
import { toErrorMessage } from '../lib/federation/transported-error.js';
import { parameterCount } from '../lib/federation/weights.js';
import { readFileBytes, sha256 } from '../lib/formats/atomic-file.js';
import { readShard } from '../lib/formats/dataset.js';
import { decodeKerasFile, encodeKerasFile } from '../lib/formats/keras-hdf5.js';
import { type InitialModel, makeInitialModel } from './initial-model.js';
import type { TrainOutcome, TrainRequest, WorkerMessage } from './train-request.js';

/** At least this long between two progress messages. */
const PROGRESS_INTERVAL_MS = 100;

const send = (message: WorkerMessage) => parentPort?.postMessage(message);

/** Ending the thread from outside while a step runs would abort the process; so it is asked, and stops between steps. */
const stop = new AbortController();
parentPort?.once('message', () => stop.abort(new InterruptedError()));

async function train(request: TrainRequest): Promise<TrainOutcome> {
  // Side by side: opening the first HDF5 file takes as long as reading the shard.
  const [examples, global] = await Promise.all([
    readShard(request.data),
    request.init === undefined ? undefined : readGlobalModel(request.init),
  ]);
  const { file, model, parent } = global ?? (await initialModel(request, examples));
  requireFit(model, examples, request.data);
  const { description } = model;
  const { engine, why } = await chooseEngine(request.engine, { description, signal: stop.signal });
  const seed = trainingSeed(request);
  const session = await engine.createTrainingSession(model, {
    ...request,
    batchSize: usualBatch(request),
    seed,
  });
  send({ kind: 'ready', engine: session.engine, why, parameters: parameterCount(model.weights) });

  let reportedAt = 0;
  const { loss, accuracy } = await trainLocally(session, examples, {
    ...request.work,
    batchSize: request.batchSize,
    seed,
    signal: stop.signal,
    onStep(progress) {
      if (Date.now() - reportedAt < PROGRESS_INTERVAL_MS && progress.examplesDone < progress.examplesTotal)
        return;
      reportedAt = Date.now();
      send({ kind: 'progress', progress });
    },
  });
  const { client, round } = request;
  const update = { client, round, examples: examples.labels.length, parent };
  const outcome = {
    file: { ...file, weights: await session.weights(), update },
    engine: session.engine,
    examples: update.examples,
    loss,
    accuracy,
  };
  await session.dispose();
  return outcome;
}

/** Where a training starts: the model, its file, and the sha256 of that. */
interface StartingPoint extends InitialModel {
  readonly parent: string;
}

async function readGlobalModel(path: string): Promise<StartingPoint> {
  const bytes = await readFileBytes(path, 'the global model (h5)');
  const { update: _parentsOwnFacts, ...file } = await decodeKerasFile(bytes, path);
  return { file, model: modelFromKeras(file, path, { keepForeignLayers: true }), parent: sha256(bytes) };
}

async function initialModel(request: TrainRequest, examples: Examples): Promise<StartingPoint> {
  const initial = await makeInitialModel(examples, request.data, request);
  return { ...initial, parent: sha256(await encodeKerasFile(initial.file)) };
}

train(workerData as TrainRequest).then(
  (outcome) => send({ kind: 'done', outcome }),
  (error: unknown) => send({ kind: 'failed', error: toErrorMessage(error) }),
);
