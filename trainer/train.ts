/** Trains one client: the work in a thread, progress to the reporter, the update written when all is done. */
import { Worker } from 'node:worker_threads';
import type { ProgramContext } from '../lib/cli/program.js';
import { fromErrorMessage } from '../lib/core/errors.js';
import { weightBuffers } from '../lib/core/weights.js';
import { prepareEngines } from '../lib/engine/native-environment.js';
import { trainableOf } from '../lib/federation/client-side.js';
import { exampleCount } from '../lib/federation/examples.js';
import { localWorkOf, planLocalWork } from '../lib/federation/local-work.js';
import { writeKerasFile } from '../lib/formats/keras/keras-hdf5.js';
import type { TrainResult } from '../lib/formats/stage-results.js';
import { lossesOf } from '../lib/model/tasks/task.js';
import { DATA_NOTE, trainingProgress } from '../lib/observability/events.js';
import { roundTo } from '../lib/observability/format.js';
import type { Naming } from '../lib/settings/setting.js';
import { readStartingPoint, type StartingPoint } from './starting-point.js';
import type { TrainerMessage, TrainRequest, TrainWorkerMessage, WorkerOutcome } from './train-worker.js';

/** What a training is done with; messages call settings as `named` says. */
export interface TrainContext extends ProgramContext {
  readonly named: Naming;
}

/**
 * Trains and writes the update to `saveModel`, atomically; an interrupted or failed training writes nothing.
 *
 * @throws {DataError} for a shard or model that is invalid, with the file's name
 */
export async function trainClient(
  request: TrainRequest,
  saveModel: string,
  context: TrainContext,
): Promise<TrainResult> {
  const { startedAtMs = 0 } = context;
  const [start, outcome] = await runWorker(request, context);
  const { file, parent, examples: shard, optimizer, remembering } = start;
  const { client, round } = request;
  const { weights, engine, loss, accuracy, heldOut, epochs } = outcome;
  const examples = exampleCount(shard);
  const update = { client, round, examples, parent };
  const { training } = request;
  const work = { ...localWorkOf(training), batchSize: training.batch };
  const { steps } = planLocalWork(examples, work);
  const finished = {
    optimizer,
    proximal: training.proximal ?? 0,
    steps,
    loss,
    weights: trainableOf(weights),
  };
  const extras = remembering?.side.report({ ...finished, memory: remembering.memory });
  const beside = { update, ...(extras === undefined ? {} : { extras }) };
  const sha256 = await writeKerasFile(saveModel, { ...file, weights, ...beside });
  return {
    client,
    round,
    examples,
    seconds: roundTo((performance.now() - startedAtMs) / 1000, 3),
    loss: roundTo(loss, 6),
    ...(accuracy === undefined ? {} : { accuracy: roundTo(accuracy, 6) }),
    engine,
    sha256,
    ...(heldOut === undefined ? {} : { heldOut }),
    ...(epochs === undefined ? {} : { epochs: [...epochs] }),
  };
}

/** Threads that have trained well and wait for the next training: each has loaded what it takes, which is 0.2 s of work. */
const idle: Worker[] = [];

/** An idle thread still holds what it was given: one that was given more ends. */
const MAX_KEPT_BYTES = 32 * 2 ** 20;

/** A thread that trains, one client at a time. */
function takeThread(): Worker {
  const worker = idle.pop() ?? new Worker(new URL('./train-worker.js', import.meta.url));
  worker.removeAllListeners();
  worker.ref();
  return worker;
}

/** Lets a thread wait, which keeps no process and harms none. */
function keepThread(worker: Worker): void {
  idle.push(worker);
  worker.on('error', () => undefined);
  worker.on('exit', () => idle.splice(idle.indexOf(worker), 1));
  worker.unref();
}

/** Whether a thread may train again: native libraries but the processor's ONNX Runtime want a fresh one. */
function isReusable({ examples, heldOut }: StartingPoint, { engine, weights }: WorkerOutcome): boolean {
  if (!engine.startsWith('onnx/cpu')) return false;
  const arrays = [examples, ...(heldOut === undefined ? [] : [heldOut.examples])].flatMap((each) => [
    ...each.inputs,
    ...each.targets,
  ]);
  const sizes = [...arrays, ...weights].map(({ values }) => values.byteLength);
  return sizes.reduce((sum, each) => sum + each, 0) <= MAX_KEPT_BYTES;
}

/** Reads what the training starts from while its thread loads, and trains. */
async function runWorker(
  request: TrainRequest,
  context: TrainContext,
): Promise<readonly [StartingPoint, WorkerOutcome]> {
  prepareEngines(request);
  const worker = takeThread();
  let isKept = false;
  const tell = (message: TrainerMessage, handedOver: readonly ArrayBuffer[] = []) =>
    worker.postMessage(message, handedOver);
  const stop = () => tell('stop');
  context.signal.addEventListener('abort', stop, { once: true });
  try {
    const read = async () => {
      const { reporter, named } = context;
      const told = (note: string) => reporter.info(note, DATA_NOTE);
      const start = await readStartingPoint(request, { tell: told, named });
      for (const note of start.notes) context.reporter.info(note, { event: 'optimizer' });
      context.signal.throwIfAborted();
      const { model, examples, optimizer, task, remembering, heldOut } = start;
      // A strategy that asks more of clients goes on from the global weights when training has ended.
      const handedOver = remembering === undefined ? weightBuffers(model.weights) : [];
      const correction = remembering?.correction;
      const work = { request, model, examples, optimizer, loss: lossesOf(task), correction, heldOut };
      tell(work, handedOver);
      return start;
    };
    const [start, outcome] = await Promise.all([read(), outcomeOf(worker, request, context)]);
    isKept = context.stays === true && isReusable(start, outcome);
    return [start, outcome];
  } finally {
    context.signal.removeEventListener('abort', stop);
    worker.removeAllListeners();
    if (isKept && !context.signal.aborted) keepThread(worker);
    else await worker.terminate();
  }
}

/** What the thread makes of it; reports what it says meanwhile. */
function outcomeOf(
  worker: Worker,
  request: TrainRequest,
  { reporter }: Pick<ProgramContext, 'reporter'>,
): Promise<WorkerOutcome> {
  const threads = `${request.threads} thread${request.threads === 1 ? '' : 's'}`;
  const startedAt = { ms: performance.now() };
  return new Promise<WorkerOutcome>((resolve, reject) => {
    worker.on('message', (message: TrainWorkerMessage) => {
      switch (message.kind) {
        case 'ready':
          startedAt.ms = performance.now();
          reporter.info(
            `client ${request.client}: training on ${message.engine} (${message.why}), ${threads}, ${message.parameters} parameters`,
            { event: 'engine', engine: message.engine, why: message.why },
          );
          break;
        case 'progress': {
          const seconds = (performance.now() - startedAt.ms) / 1000;
          reporter.progress(trainingProgress(request.client, message.progress, seconds));
          break;
        }
        case 'done':
          resolve(message.outcome);
          break;
        case 'failed':
          reject(fromErrorMessage(message.error));
      }
    });
    worker.on('error', reject);
    worker.on('exit', (code) => reject(new Error(`the training thread ended early with code ${code}`)));
  });
}
