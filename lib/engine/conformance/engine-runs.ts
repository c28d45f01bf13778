/** What the conformance tests do with an engine: train, predict, take a gradient, and compare numbers. */
import assert from 'node:assert/strict';
import type { Weights } from '../../core/weights.js';
import type { Losses } from '../../federation/loss.js';
import { sha256 } from '../../formats/files/read-file.js';
import type { Model } from '../../model/model-description.js';
import type { Batch, Engine, OptimizerSettings, StepResult } from '../engine.js';
import { ADAM, quarters } from './problems.js';

/** The update that makes a step's gradient visible: the old weights less the new ones. */
export const PLAIN_STEP: OptimizerSettings = { kind: 'sgd', learningRate: 1, momentum: 0 };

/** How to train. */
interface TrainOptions {
  readonly steps: number;
  readonly seed?: number;
  readonly optimizer?: OptimizerSettings;
  readonly proximal?: number;
  readonly correction?: Weights;
  readonly loss?: Losses;
  readonly isWeighted?: boolean;
  /** Default: quarters of `batchSize`, batch s from seed s. */
  readonly batchOf?: (step: number) => Batch;
  readonly batchSize?: number;
}

/** A finished training. */
interface TrainingResult {
  readonly results: readonly StepResult[];
  readonly weights: Weights;
}

/** Trains on {@link quarters}, batch s from seed s, unless other batches are given. */
export async function train(engine: Engine, model: Model, options: TrainOptions): Promise<TrainingResult> {
  const { steps, seed = 5, optimizer = ADAM, batchSize = 20, proximal, correction } = options;
  const { loss, isWeighted } = options;
  const { batchOf = (step) => quarters(batchSize, step) } = options;
  const session = await engine.createTrainingSession(model, {
    optimizer,
    proximal,
    correction,
    loss,
    isWeighted,
    batchSize,
    seed,
    threads: 1,
  });
  const results: StepResult[] = [];
  for (let step = 0; step < steps; step++) results.push(await session.step(batchOf(step)));
  const weights = await session.weights();
  await session.dispose();
  return { results, weights };
}

/** What the one output of a model says of a batch. */
export async function predict(
  engine: Engine,
  model: Model,
  { inputs, count }: Pick<Batch, 'inputs' | 'count'>,
): Promise<Float32Array> {
  const session = await engine.createPredictSession(model, { threads: 1 });
  const [output = new Float32Array(0)] = await session.predict(inputs, count);
  await session.dispose();
  return output;
}

/** Loss and gradients of batches at weights of a model; compiled once. */
interface Gradients {
  /** By a plain step; moving statistics come out as their change. */
  at(
    weights: Weights,
    batch: Batch,
  ): Promise<{ readonly loss: number; readonly gradients: readonly Float32Array[] }>;
  dispose(): Promise<void>;
}

/** Opens the gradients of a model. */
export async function openGradients(engine: Engine, model: Model): Promise<Gradients> {
  const session = await engine.createTrainingSession(model, { optimizer: PLAIN_STEP, seed: 0, threads: 1 });
  return {
    async at(weights, batch) {
      await session.restart({ weights, seed: 0 });
      const { loss } = await session.step(batch);
      const after = await session.weights();
      const gradients = weights.map(({ values }, index) =>
        values.map((value, at) => value - (after[index]?.values[at] as number)),
      );
      return { loss, gradients };
    },
    dispose: () => session.dispose(),
  };
}

/** Loss and gradient of one batch. */
export async function gradient(engine: Engine, model: Model, batch: Batch) {
  const opened = await openGradients(engine, model);
  const found = await opened.at(model.weights, batch);
  await opened.dispose();
  return found;
}

/** The sha256 of all values. */
export function hashOf(weights: Weights): string {
  return sha256(
    Buffer.concat(weights.map(({ values }) => Buffer.from(new Uint8Array(values.slice().buffer)))),
  );
}

/** Fails where an element differs by more than `tolerance`, relative to the largest (or to 0.01). */
export function assertClose(
  found: Float32Array | undefined,
  expected: ArrayLike<number>,
  { what, tolerance }: { readonly what: string; readonly tolerance: number },
): void {
  assert.equal(found?.length, expected.length, what);
  const values = Array.from(expected);
  const scale = values.reduce((largest, value) => Math.max(largest, Math.abs(value)), 1e-2);
  for (const [index, value] of values.entries()) {
    const difference = Math.abs((found?.[index] as number) - value) / scale;
    assert.ok(difference <= tolerance, `${what}[${index}]: ${found?.[index]}, expected ${value}`);
  }
}
