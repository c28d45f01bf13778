/** Tries an engine: a few training steps that show that it works, or that measure how fast it is. */
import { randomStream } from '../core/random.js';
import { sizeOf } from '../core/weights.js';
import type { Model } from '../model/model-description.js';
import { describeModel, type ModelTask } from '../model/model-zoo.js';
import { initialWeights } from '../model/parameters.js';
import type { Batch, Engine, TrainingSession } from './engine.js';

/** Small, but with every kind of layer of the default model. */
const SMALL_TASK: ModelTask = { inputShape: [8, 8, 1], outputs: 2 };
/** The images of the default model, as in the benchmarks. */
const MEASURED_TASK: ModelTask = { inputShape: [28, 28, 1], outputs: 10 };
/** Examples per measured step. */
const MEASURED_BATCH = 100;

/** A step of one image that takes longer is that of an engine for the smallest of models. */
const SLOW_STEP_MS = 1_000;

/** How fast an engine trains the default model. */
interface Speed {
  /** Of training, forward, backward and Adam. */
  readonly imagesPerSecond: number;
  /** Examples per step. */
  readonly batch: number;
  /** What the session says that it runs on. */
  readonly session: string;
}

/**
 * One step of a small convolutional network.
 *
 * @returns what the session says that it runs on
 * @throws what the engine throws, or an Error when the loss is not a number
 */
export async function trialInProcess(engine: Engine): Promise<string> {
  const session = await startSession(engine, SMALL_TASK, 1);
  try {
    const { loss } = await session.step(randomBatch(SMALL_TASK, 2));
    if (!Number.isFinite(loss)) throw new Error(`a training step gave the loss ${loss}`);
    return session.engine;
  } finally {
    await session.dispose();
  }
}

/** The default model: what doctor says about blocked images is about this one. */
export function measuredModel(): Model {
  return modelOf(MEASURED_TASK);
}

/**
 * Trains the default model for `seconds`, after first steps that are not counted: those load and compile. An engine so
 * slow that one step of 100 images would take minutes is measured on single images.
 */
export async function measureSpeed(
  engine: Engine,
  { seconds, threads }: { readonly seconds: number; readonly threads: number },
): Promise<Speed> {
  const session = await startSession(engine, MEASURED_TASK, threads);
  const timed = async (batch: Batch): Promise<number> => {
    const from = performance.now();
    await session.step(batch);
    return performance.now() - from;
  };
  try {
    const single = randomBatch(MEASURED_TASK, 1);
    await session.step(single);
    const singleMs = await timed(single);
    if (singleMs > SLOW_STEP_MS) {
      return { session: session.engine, batch: 1, imagesPerSecond: 1000 / singleMs };
    }
    const batch = randomBatch(MEASURED_TASK, MEASURED_BATCH);
    await session.step(batch);
    let steps = 0;
    let spentMs = 0;
    while (spentMs < seconds * 1000) {
      spentMs += await timed(batch);
      steps++;
    }
    const imagesPerSecond = (steps * MEASURED_BATCH * 1000) / spentMs;
    return { session: session.engine, batch: MEASURED_BATCH, imagesPerSecond };
  } finally {
    await session.dispose();
  }
}

function modelOf(task: ModelTask): Model {
  const description = describeModel('cnn', task);
  return { description, weights: initialWeights(description, 0) };
}

function startSession(engine: Engine, task: ModelTask, threads: number): Promise<TrainingSession> {
  const optimizer = { kind: 'adam', learningRate: 1e-3, beta1: 0.9, beta2: 0.999, epsilon: 1e-7 } as const;
  return engine.createTrainingSession(modelOf(task), { optimizer, seed: 0, threads });
}

function randomBatch({ inputShape, outputs }: ModelTask, count: number): Batch {
  const random = randomStream(0, 'trial');
  return {
    count,
    inputs: [Float32Array.from({ length: count * sizeOf(inputShape) }, () => random.uniform())],
    targets: [Int32Array.from({ length: count }, () => random.integer(0, outputs - 1))],
  };
}
