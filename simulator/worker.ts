/** A worker of the simulator: keeps one compiled training step warm, and is one virtual client after the other. */
import { parentPort, workerData } from 'node:worker_threads';
import { InterruptedError, messageOf, toErrorMessage } from '../lib/core/errors.js';
import type { Weights } from '../lib/core/weights.js';
import { judge } from '../lib/engine/accuracy.js';
import { chooseEngine } from '../lib/engine/choose-engine.js';
import type { Engine, PredictSession, TrainingSession } from '../lib/engine/engine.js';
import { type HeldOutPart, heldOutTest, testHeldOut, testModelOn } from '../lib/engine/held-out.js';
import {
  epochRecords,
  type LocalTrainingProgress,
  trainingSeed,
  trainLocally,
  usualBatch,
} from '../lib/engine/local-training.js';
import {
  type ClientMemory,
  type ClientSide,
  type Extras,
  gradientCorrection,
  trainableOf,
} from '../lib/federation/client-side.js';
import type { UpdateFacts } from '../lib/federation/client-update.js';
import { exampleCount, takeExamples } from '../lib/federation/examples.js';
import { localWorkOf, planLocalWork } from '../lib/federation/local-work.js';
import { heldOutIndices, shardIndices } from '../lib/federation/partition/client-holdout.js';
import { clientSide } from '../lib/federation/strategies/strategy-settings.js';
import type { ClientTest } from '../lib/formats/accuracy-record.js';
import { volumePaths } from '../lib/formats/volume.js';
import { engineChoice } from '../lib/settings/parts/engine.js';
import { examineUpdate } from './examine-update.js';
import type {
  ClientsTask,
  FailedClient,
  JudgedPart,
  JudgeTask,
  SimulatedRound,
  SimulatedTask,
  TaskResult,
  TestedClients,
  TrainedClient,
  UpdateSlot,
  WorkerMessage,
  WorkerProgress,
  WorkerSetup,
  WorkerTask,
} from './worker-messages.js';

/** At least this long between two messages of a training about how far it is. */
const PROGRESS_INTERVAL_MS = 250;

const port = parentPort as NonNullable<typeof parentPort>;
const { plan, train, shards, test, task, model, strategy, volume } = workerData as WorkerSetup;
/** What the strategy asks of clients beside training. */
const side = clientSide(strategy);

/** Ending the thread from outside while a step runs would abort the process; so it is asked, and stops between steps. */
const stop = new AbortController();
const waiting: (WorkerTask | SimulatedRound)[] = [];
let wake: () => void = () => undefined;

port.on('message', (message: WorkerTask | SimulatedRound | 'stop') => {
  if (message === 'stop') stop.abort(new InterruptedError());
  else waiting.push(message);
  wake();
});

/** What a worker keeps warm. */
interface Warm {
  readonly engine: Engine;
  readonly session: TrainingSession;
  /** What it has last heard of a round. */
  round?: SimulatedRound;
  predictor?: { readonly file: string; readonly session: PredictSession };
}

async function warmUp(): Promise<Warm> {
  const { engine, backend, why } = await chooseEngine(plan.engine, {
    description: model.description,
    signal: stop.signal,
  });
  const { weights } = model;
  // Of no client yet: it says whether the step takes corrections.
  const correction = gradientCorrection(side, {
    like: weights,
    memory: { global: trainableOf(weights) },
  });
  const settings = { ...plan.training, ...plan, correction, batchSize: usualBatch(plan.training) };
  const session = await engine.createTrainingSession(model, settings);
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
    const next = waiting.shift();
    if (next === undefined) {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    } else if (next.kind === 'round') warm.round = next;
    else {
      const result = await resultOf(warm, next);
      port.postMessage({ kind: 'result', result } satisfies WorkerMessage);
    }
  }
  await warm.predictor?.session.dispose();
  await warm.session.dispose();
}

function resultOf(warm: Warm, next: WorkerTask): Promise<TaskResult> {
  if (next.kind === 'judge') return judgePart(warm, next);
  return next.kind === 'clients' ? testClients(warm, next) : trainClient(warm, next);
}

async function trainClient(
  warm: Warm,
  { client, slot }: SimulatedTask,
): Promise<TrainedClient | FailedClient> {
  const startedAt = performance.now();
  const { engine, session } = warm;
  const shared = warm.round as SimulatedRound;
  const { round, global, learningRate } = shared;
  const place = shared.slots[slot] as UpdateSlot;
  const update = place.weights;
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
    const { weights } = global;
    const memory = side && (await memoryOf(side, { client, round, global }));
    const correction = memory && gradientCorrection(side, { like: weights, memory });
    const { description } = model;
    const part = heldOutPart(client, global.file);
    const asked = { file: global.file, model: { description, weights } };
    const before = part && (await testHeldOut(await predictorOf(warm, asked), part));
    await session.restart({ weights, seed, learningRate, correction });
    const examples = takeExamples(train.examples, shardIndices(shards, client));
    const { loss, accuracy, history } = await trainLocally(timed, examples, {
      ...plan.training,
      loss: plan.loss,
      batchSize: plan.training.batch,
      seed,
      signal: stop.signal,
      onStep: tellSteps({ round, client }),
    });
    await session.weights(update);
    // The updated model is no other client's: it is compiled for this test.
    const after =
      part && (await testModelOn(part, { description, weights: update, engine, threads: plan.threads }));
    const trained = { round, client, parent: global.sha256, examples: exampleCount(examples) };
    const extras =
      memory && (await extrasOf(trained, { memory, learningRate, loss, weights: trainableOf(update) }));
    const seconds = (performance.now() - startedAt) / 1000;
    const facts = { examples: exampleCount(examples), seconds, stepSeconds: stepMs / 1000, loss, accuracy };
    const heldOut = before && after && heldOutTest(before, after);
    const found = examineUpdate(place, shared);
    return { kind: 'trained', ...facts, ...found, extras, heldOut, epochs: epochRecords(history) };
  } catch (error) {
    stop.signal.throwIfAborted();
    return { kind: 'failed', reason: messageOf(error) };
  }
}

/** Tells how far a training is that takes its time, and when it is done; those of small clients are over before. */
function tellSteps(whose: Pick<WorkerProgress, 'round' | 'client'>) {
  const startedAt = performance.now();
  let toldAt = startedAt;
  return (progress: LocalTrainingProgress): void => {
    const now = performance.now();
    const isDone = progress.examplesDone >= progress.examplesTotal;
    if (isDone ? toldAt === startedAt : now - toldAt < PROGRESS_INTERVAL_MS) return;
    toldAt = now;
    const seconds = (now - startedAt) / 1000;
    port.postMessage({ kind: 'progress', ...whose, progress, seconds } satisfies WorkerMessage);
  };
}

/** Reading files is loaded where clients keep some. */
async function memoryOf(
  asked: ClientSide,
  place: Pick<SimulatedTask, 'client'> & Pick<SimulatedRound, 'round' | 'global'>,
): Promise<ClientMemory> {
  if (asked.keeps === undefined) return { global: trainableOf(place.global.weights) };
  const { readClientMemory } = await import('../lib/formats/client-memory.js');
  return readClientMemory({ strategy, side: asked, volume, ...place });
}

interface Trained {
  readonly memory: ClientMemory;
  readonly learningRate: number | undefined;
  readonly loss: number;
  /** The trainable arrays. */
  readonly weights: Weights;
}

/** What a trainer would have put beside the weights: what the client keeps goes into a file, the rest to the server. */
async function extrasOf(
  facts: UpdateFacts,
  { learningRate = plan.optimizer.learningRate, ...trained }: Trained,
): Promise<Extras | undefined> {
  if (side === undefined) return undefined;
  const { training } = plan;
  const work = { ...localWorkOf(training), batchSize: training.batch };
  const { steps } = planLocalWork(facts.examples, work);
  const optimizer = { ...plan.optimizer, learningRate };
  const extras = side.report({ ...trained, optimizer, proximal: training.proximal ?? 0, steps });
  if (volume !== undefined && side.keeps !== undefined) {
    const file = volumePaths(volume).round(facts.round).update(facts.client);
    const { writeKept } = await import('../lib/formats/client-memory.js');
    await writeKept(file, { facts, extras, side });
  }
  return Object.fromEntries(Object.entries(extras).filter(([name]) => Object.hasOwn(side.extras, name)));
}

async function judgePart(warm: Warm, part: JudgeTask): Promise<JudgedPart> {
  const judgements = await judge(await predictorOf(warm, part), {
    ...part,
    examples: test.examples,
    model: part.file,
    data: test.file,
    signal: stop.signal,
  });
  return { kind: 'judged', judgements };
}

/** The session of a model that many tasks ask for, one after the other. */
async function predictorOf(warm: Warm, asked: Pick<JudgeTask, 'file' | 'model'>): Promise<PredictSession> {
  if (warm.predictor?.file === asked.file) return warm.predictor.session;
  await warm.predictor?.session.dispose();
  const session = await warm.engine.createPredictSession(asked.model, plan);
  warm.predictor = { file: asked.file, session };
  return session;
}

/** What a client holds out; undefined where it holds nothing out. */
function heldOutPart(client: number, file: string): HeldOutPart | undefined {
  const indices = heldOutIndices(shards, client);
  if (indices.length === 0) return undefined;
  const examples = takeExamples(train.examples, indices);
  return { examples, task, model: file, data: train.file, signal: stop.signal };
}

/** Clients that hold nothing out are passed over. */
async function testClients(
  warm: Warm,
  { clients, ...asked }: Omit<ClientsTask, 'kind'>,
): Promise<TestedClients> {
  const tests: ClientTest[] = [];
  for (const client of clients) {
    const part = heldOutPart(client, asked.file);
    if (part !== undefined) tests.push(await testHeldOut(await predictorOf(warm, asked), part));
  }
  return { kind: 'tested', tests };
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
