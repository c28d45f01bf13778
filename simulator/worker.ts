/** A worker of the simulator: keeps one compiled training step warm, and is one virtual client after the other. */
import { parentPort, workerData } from 'node:worker_threads';
import { InterruptedError, toErrorMessage } from '../lib/core/errors.js';
import { judge } from '../lib/engine/accuracy.js';
import { chooseEngine } from '../lib/engine/choose-engine.js';
import type { Engine, PredictSession, TrainingSession } from '../lib/engine/engine.js';
import { engineChoice } from '../lib/engine/engine-choice.js';
import { trainingSeed, trainLocally, usualBatch } from '../lib/engine/local-training.js';
import { shardIndices, takeExamples } from '../lib/federation/examples.js';
import { classCount } from '../lib/model/parameters.js';
import type {
  FailedClient,
  JudgedPart,
  JudgeTask,
  SimulatedTask,
  TrainedClient,
  WorkerMessage,
  WorkerSetup,
  WorkerTask,
} from './worker-messages.js';

const port = parentPort as NonNullable<typeof parentPort>;
const { plan, train, shards, test, model } = workerData as WorkerSetup;

/** Ending the thread from outside while a step runs would abort the process; so it is asked, and stops between steps. */
const stop = new AbortController();
const waiting: WorkerTask[] = [];
let wake: () => void = () => undefined;

port.on('message', (message: WorkerTask | 'stop') => {
  if (message === 'stop') stop.abort(new InterruptedError());
  else waiting.push(message);
  wake();
});

/** What a worker keeps warm. */
interface Warm {
  readonly engine: Engine;
  readonly session: TrainingSession;
  predictor?: { readonly file: string; readonly session: PredictSession };
}

async function warmUp(): Promise<Warm> {
  const { engine, backend, why } = await chooseEngine(plan.engine, {
    description: model.description,
    signal: stop.signal,
  });
  const session = await engine.createTrainingSession(model, { ...plan, batchSize: usualBatch(plan) });
  const choice = engineChoice(backend.engine, backend.backend);
  port.postMessage({
    kind: 'ready',
    engine: { title: session.engine, why, choice },
  } satisfies WorkerMessage);
  return { engine, session };
}

async function work(): Promise<void> {
  const warm = await warmUp();
  while (!stop.signal.aborted) {
    const task = waiting.shift();
    if (task === undefined) {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    } else if (task.kind === 'judge') {
      const result = await judgePart(warm, task);
      port.postMessage({ kind: 'result', result } satisfies WorkerMessage);
    } else {
      const result = await trainClient(warm, task);
      port.postMessage({ kind: 'result', result } satisfies WorkerMessage);
    }
  }
  await warm.predictor?.session.dispose();
  await warm.session.dispose();
}

async function trainClient(
  { session }: Warm,
  { round, client, weights, learningRate, update }: SimulatedTask,
): Promise<TrainedClient | FailedClient> {
  const startedAt = performance.now();
  let stepMs = 0;
  const timed: Pick<TrainingSession, 'step'> = {
    async step(batch) {
      const from = performance.now();
      const result = await session.step(batch);
      stepMs += performance.now() - from;
      return result;
    },
  };
  try {
    const seed = trainingSeed({ seed: plan.seed, round, client });
    await session.restart({ weights, seed, learningRate });
    const examples = takeExamples(train.examples, shardIndices(shards, client));
    const { loss, accuracy } = await trainLocally(timed, examples, {
      ...plan.work,
      batchSize: plan.batchSize,
      seed,
      signal: stop.signal,
    });
    await session.weights(update);
    const seconds = (performance.now() - startedAt) / 1000;
    const facts = { examples: examples.labels.length, seconds, stepSeconds: stepMs / 1000, loss, accuracy };
    return { kind: 'trained', ...facts };
  } catch (error) {
    stop.signal.throwIfAborted();
    return { kind: 'failed', reason: error instanceof Error ? error.message : String(error) };
  }
}

async function judgePart(warm: Warm, task: JudgeTask): Promise<JudgedPart> {
  if (warm.predictor?.file !== task.file) {
    await warm.predictor?.session.dispose();
    warm.predictor = { file: task.file, session: await warm.engine.createPredictSession(task.model, plan) };
  }
  const judgements = await judge(warm.predictor.session, {
    ...task,
    examples: test.examples,
    classes: classCount(task.model.description),
    model: task.file,
    data: test.file,
    signal: stop.signal,
  });
  return { kind: 'judged', ...judgements };
}

work().then(
  () => port.close(),
  (error: unknown) => {
    if (!stop.signal.aborted) {
      port.postMessage({ kind: 'broken', error: toErrorMessage(error) } satisfies WorkerMessage);
    }
    port.close();
  },
);
