/** The trainer's worker thread: training steps block the thread that they run on, so they run here. */
import { parentPort, workerData } from 'node:worker_threads';
import { InterruptedError, toErrorMessage } from '../lib/core/errors.js';
import { parameterCount, weightBuffers } from '../lib/core/weights.js';
import { chooseEngine } from '../lib/engine/choose-engine.js';
import { trainingSeed, trainLocally, usualBatch } from '../lib/engine/local-training.js';
import { trainingWeights } from '../lib/federation/class-weights.js';
import { sessionOf } from '../lib/model/model-error.js';
import type {
  TrainerMessage,
  TrainRequest,
  TrainStart,
  TrainWorkerMessage,
  WorkerOutcome,
} from './train-request.js';

/** At least this long between two progress messages. */
const PROGRESS_INTERVAL_MS = 100;

const port = parentPort as NonNullable<typeof parentPort>;
/** Weights pass to the other thread: this one keeps no copy. */
const send = (message: TrainWorkerMessage) =>
  port.postMessage(message, message.kind === 'done' ? weightBuffers(message.outcome.weights) : []);

/** Ending the thread from outside while a step runs would abort the process; so it is asked, and stops between steps. */
const stop = new AbortController();
const start = new Promise<TrainStart>((resolve) => {
  port.on('message', (message: TrainerMessage) => {
    if (message === 'stop') stop.abort(new InterruptedError());
    else resolve(message);
  });
});

async function train(request: TrainRequest): Promise<WorkerOutcome> {
  const { model, examples, optimizer, loss: lossSettings, correction } = await start;
  const { description } = model;
  const { engine, why } = await chooseEngine(request.engine, { description, signal: stop.signal });
  const seed = trainingSeed(request);
  const { training, threads } = request;
  const settings = {
    ...training,
    ...{ optimizer, correction, batchSize: usualBatch(training), seed, threads },
    ...{ loss: lossSettings, isWeighted: trainingWeights(examples, training.classWeights) !== undefined },
  };
  const path = request.init ?? request.data;
  const session = await sessionOf(path, engine.createTrainingSession(model, settings));
  send({ kind: 'ready', engine: session.engine, why, parameters: parameterCount(model.weights) });

  let reportedAt = 0;
  const { loss, accuracy } = await trainLocally(session, examples, {
    ...training,
    batchSize: training.batch,
    loss: lossSettings,
    seed,
    signal: stop.signal,
    onStep(progress) {
      if (Date.now() - reportedAt < PROGRESS_INTERVAL_MS && progress.examplesDone < progress.examplesTotal)
        return;
      reportedAt = Date.now();
      send({ kind: 'progress', progress });
    },
  });
  const outcome = { weights: await session.weights(model.weights), engine: session.engine, loss, accuracy };
  await session.dispose();
  return outcome;
}

train(workerData as TrainRequest).then(
  (outcome) => send({ kind: 'done', outcome }),
  (error: unknown) => send({ kind: 'failed', error: toErrorMessage(error) }),
);
