/** What an engine does: training steps and predictions of one model. A second engine implements the same. */

import { ExitCode, FedbatchError } from '../core/errors.js';
import type { Weights } from '../core/weights.js';
import type { Losses } from '../federation/loss.js';
import type { Model } from '../model/model-description.js';
import type { OptimizerSettings } from '../model/optimizers/registry.js';
import type { OptimizerSetting, TrainingValues } from '../settings/parts/training.js';

export type { OptimizerSettings } from '../model/optimizers/registry.js';

/**
 * Settings of a training session: those of a client's local training as they were asked for, the optimizer and the batch
 * as they came out. `proximal` is μ of FedProx (Li et al. 2020, arXiv 1812.06127): the loss gets μ/2 · ‖w - w₀‖², w₀ being
 * the trainable weights that the session started from; 0 by default.
 */
export interface TrainingSettings extends Partial<Omit<TrainingValues, 'batch' | 'loss' | OptimizerSetting>> {
  readonly optimizer: OptimizerSettings;
  /** By default the cross-entropy behind a softmax or sigmoid, the mean squared error behind anything else. */
  readonly loss?: Losses | undefined;
  /** Whether all batches bring `exampleWeights`; else none does. */
  readonly isWeighted?: boolean | undefined;
  /**
   * What is added to the gradient of every step; shaped as the model's weights, 0 for moving statistics. Where it is
   * given, the session takes another one at each start; without it there is none.
   */
  readonly correction?: Weights | undefined;
  /**
   * Examples of most batches: an engine may compile a step for this number, beside one for any. It sums in another
   * order then: results repeat bit for bit for the same number only.
   */
  readonly batchSize?: number | undefined;
  /** Whether the session may take the model's arrays for its own and write into them: nobody else reads them meanwhile. */
  readonly ownsWeights?: boolean | undefined;
  /** Seeds the dropout masks; step s of a session always draws the same masks. */
  readonly seed: number;
  /** Processor threads that the engine may use. Another number may sum in another order: results repeat bit for bit
   * for the same number only. */
  readonly threads: number;
}

/**
 * A batch of any size of at least 1; sessions take other sizes (a last partial batch) from step to step. An engine may
 * run a very large one in parts and add their gradients up before its one update.
 */
export interface Batch {
  /** Number of examples, n. */
  readonly count: number;
  /** `[n, ...shape]` of each input, in the order of the model's inputs, already scaled to what the model expects. */
  readonly inputs: readonly Float32Array[];
  /** What the model should answer, in the order of its outputs, as the loss takes it: labels `[n]`, or `[n, outputs]`;
   * of outputs with steps, so much for each of them. */
  readonly targets: readonly (Int32Array | Float32Array)[];
  /** How much each example counts, `[n]`; without it all count 1. The loss is the sum over the batch, divided by n. */
  readonly exampleWeights?: Float32Array | undefined;
}

/** What one training step found, before its update. */
export interface StepResult {
  /** Mean loss of the batch. */
  readonly loss: number;
  /** Number of examples of the batch that were answered rightly; undefined where no answer is simply right. */
  readonly correct?: number | undefined;
}

/** Where a training begins anew. */
export interface TrainingStart {
  /** Shaped as the model's. */
  readonly weights: Weights;
  /** As {@link TrainingSettings.seed}. */
  readonly seed: number;
  /** In place of the one that the session was made with, until the next start. */
  readonly learningRate?: number | undefined;
  /** In place of the one before, for a session that was made with one. */
  readonly correction?: Weights | undefined;
}

/** A model in training; holds native memory until disposed. */
export interface TrainingSession {
  /** What it runs on, more exactly than its engine's name, e.g. `onnx/cpu with blocks of 16`; bytes repeat on the same. */
  readonly engine: string;
  /** One optimizer step. */
  step(batch: Batch): Promise<StepResult>;
  /** A copy of the current weights, in the arrays of `into` where it is given; they may have to come from a graphics card. */
  weights(into?: Weights): Promise<Weights>;
  /**
   * Begins anew without compiling again: what follows gives the bytes of a session made with these weights, this seed
   * and this learning rate. The optimizer forgets what it has seen, the proximal term holds to the new weights. Not
   * while a step runs.
   *
   * @throws {ModelError} when the weights are shaped otherwise than the model's; the session is as before
   */
  restart(start: TrainingStart): Promise<void>;
  /** Frees its native memory. */
  dispose(): Promise<void>;
}

/** What a model answers at one output. */
export interface CountedAnswers {
  readonly answers: Float32Array;
  /** Which steps of them count: 1 or 0 for each, `[count, steps]`; undefined of an output that no mask reaches. */
  readonly counted?: Float32Array | undefined;
}

/** A model ready to predict; holds native memory until disposed. */
export interface PredictSession {
  /**
   * What the model answers to `count` examples.
   *
   * @param inputs `[count, ...shape]` of each input, in the order of the model's inputs, scaled as in training
   * @returns `[count, ...shape]` of each output, in the order of the model's outputs
   */
  predict(inputs: readonly Float32Array[], count: number): Promise<readonly Float32Array[]>;
  /**
   * The same where a mask reaches an output, with which steps of each answer count; sessions of models without masked
   * outputs do without.
   */
  predictCounted?(inputs: readonly Float32Array[], count: number): Promise<readonly CountedAnswers[]>;
  /** Frees its native memory. */
  dispose(): Promise<void>;
}

/** An engine: what runs the mathematics of training and inference. */
export interface Engine {
  /** As written into a run's records, e.g. `onnx/cpu`. */
  readonly name: string;
  /** Compiles a model for training. @throws {ModelError} when the engine cannot build it */
  createTrainingSession(model: Model, settings: TrainingSettings): Promise<TrainingSession>;
  /** Compiles a model for prediction. @throws {ModelError} when the engine cannot build it */
  createPredictSession(model: Model, settings: { readonly threads: number }): Promise<PredictSession>;
}

/** Says which engine and backend, why not, and what to install or choose instead. */
export class EngineUnavailableError extends FedbatchError {
  override readonly name = 'EngineUnavailableError';
  readonly exitCode = ExitCode.usage;
  /** As in `--engine` and `--backend`, e.g. `tensorflow/node-gpu`. */
  readonly engine: string;
  /** Why not: what to install or choose instead. */
  readonly reason: string;

  constructor(engine: string, reason: string, options?: ErrorOptions) {
    super(`The engine ${engine} is not available: ${reason}`, options);
    this.engine = engine;
    this.reason = reason;
  }
}
