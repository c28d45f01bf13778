/** The trainer's worker thread, in which training steps may block, and what passes between it and the main thread: plain data. */
import { parentPort } from 'node:worker_threads';
import { type ErrorMessage, InterruptedError, sessionOf, toErrorMessage } from '../lib/core/errors.js';
import { parameterCount, type Weights, weightBuffers } from '../lib/core/weights.js';
import { chooseEngine } from '../lib/engine/choose-engine.js';
import type { OptimizerSettings } from '../lib/engine/engine.js';
import { type HeldOutPart, heldOutTest, testModelOn } from '../lib/engine/held-out.js';
import {
  epochRecords,
  type LocalTrainingProgress,
  type TrainingPlan,
  trainingSeed,
  trainLocally,
  usualBatch,
} from '../lib/engine/local-training.js';
import { trainingWeights } from '../lib/federation/class-weights.js';
import type { Examples } from '../lib/federation/examples.js';
import type { Losses } from '../lib/federation/loss.js';
import type { StrategyName } from '../lib/federation/strategies/strategy-settings.js';
import type { HeldOutTest } from '../lib/formats/accuracy-record.js';
import type { EpochRecord } from '../lib/formats/stage-results.js';
import type { Model } from '../lib/model/model-description.js';
import type { ModelValues } from '../lib/settings/parts/data.js';
import type { OptimizerFlags } from '../lib/settings/parts/training.js';

/** One client's training in one round. */
export interface TrainRequest extends Omit<TrainingPlan, 'optimizer' | 'loss'> {
  readonly optimizer: OptimizerFlags;
  /** The client's shard (npz). */
  readonly data: string;
  /** The global model to start from (h5); without it, the seeded initial model named by `model`. */
  readonly init?: string | undefined;
  /** What that has to be, by its sha256. */
  readonly initSha256?: string | undefined;
  /** What the client holds out (npz): the model is tested on it before and after. */
  readonly clientTest?: string | undefined;
  readonly model: ModelValues;
  /** The file of a task, which prepares the shard and says what else is not asked for. */
  readonly task?: string | undefined;
  readonly classes?: number | undefined;
  readonly client: number;
  readonly round: number;
  /** Where it asks more of clients than training. */
  readonly strategy?: StrategyName | undefined;
  /** Where its clients find what they remember. */
  readonly volume?: string | undefined;
}

/** What the worker trains on, read by the main thread; the images and labels are in shared memory. */
interface TrainStart {
  readonly request: TrainRequest;
  readonly model: Model;
  readonly optimizer: OptimizerSettings;
  readonly loss: Losses;
  /** What the strategy adds to each gradient. */
  readonly correction?: Weights | undefined;
  readonly examples: Examples;
  /** What the client holds out, where it is tested. */
  readonly heldOut?: HeldOutPart | undefined;
}

/** A finished training: the weights, and what the last epoch showed. */
export interface WorkerOutcome {
  readonly weights: Weights;
  /** What the training ran on, e.g. `onnx/cpu with blocks of 16`. */
  readonly engine: string;
  /** Mean training loss over the last epoch, and accuracy where an answer can be right. */
  readonly loss: number;
  readonly accuracy?: number | undefined;
  readonly heldOut?: HeldOutTest | undefined;
  readonly epochs?: readonly EpochRecord[] | undefined;
}

/** What the worker is told: what to train on, one training after the other, and at any time to stop, after which it ends. */
export type TrainerMessage = TrainStart | 'stop';

/** What the worker says. */
export type TrainWorkerMessage =
  | {
      readonly kind: 'ready';
      readonly engine: string;
      /** Why this engine. */
      readonly why: string;
      readonly parameters: number;
    }
  | { readonly kind: 'progress'; readonly progress: LocalTrainingProgress }
  | { readonly kind: 'done'; readonly outcome: WorkerOutcome }
  | { readonly kind: 'failed'; readonly error: ErrorMessage };

/** At least this long between two progress messages. */
const PROGRESS_INTERVAL_MS = 100;

const port = parentPort as NonNullable<typeof parentPort>;
/** Weights pass to the other thread: this one keeps no copy. */
const send = (message: TrainWorkerMessage) =>
  port.postMessage(message, message.kind === 'done' ? weightBuffers(message.outcome.weights) : []);

/** Ending the thread from outside while a step runs would abort the process; so it is asked, and stops between steps. */
const stop = new AbortController();
port.on('message', (message: TrainerMessage) => {
  if (message === 'stop') {
    stop.abort(new InterruptedError());
    return;
  }
  train(message).then(
    (outcome) => send({ kind: 'done', outcome }),
    (error: unknown) => send({ kind: 'failed', error: toErrorMessage(error) }),
  );
});

async function train(start: TrainStart): Promise<WorkerOutcome> {
  const { request, model, examples, optimizer, loss: lossSettings, correction, heldOut } = start;
  const { description } = model;
  const { engine, why } = await chooseEngine(request.engine, { description, signal: stop.signal });
  const seed = trainingSeed(request);
  const { training, threads } = request;
  const settings = {
    ...training,
    ...{ optimizer, correction, batchSize: usualBatch(training), seed, threads, ownsWeights: true },
    ...{ loss: lossSettings, isWeighted: trainingWeights(examples, training.classWeights) !== undefined },
  };
  const path = request.init ?? request.data;
  const test = async (weights: Weights) =>
    heldOut &&
    (await testModelOn({ ...heldOut, signal: stop.signal }, { description, weights, engine, threads }));
  const before = await test(model.weights);
  const session = await sessionOf(path, engine.createTrainingSession(model, settings));
  send({ kind: 'ready', engine: session.engine, why, parameters: parameterCount(model.weights) });

  let reportedAt = 0;
  const { loss, accuracy, history } = await trainLocally(session, examples, {
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
  const weights = await session.weights(model.weights);
  await session.dispose();
  const after = await test(weights);
  return {
    ...{ weights, engine: session.engine, loss, accuracy },
    heldOut: before && after && heldOutTest(before, after),
    epochs: epochRecords(history),
  };
}
