/** What passes between the trainer's main thread and its worker: plain data only. */

import type { ErrorMessage } from '../lib/core/errors.js';
import type { Weights } from '../lib/core/weights.js';
import type { OptimizerSettings } from '../lib/engine/engine.js';
import type { LocalTrainingProgress, TrainingPlan } from '../lib/engine/local-training.js';
import type { Examples } from '../lib/federation/examples.js';
import type { LossSettings } from '../lib/federation/loss.js';
import type { StrategyName } from '../lib/federation/strategies/strategy-settings.js';
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
  readonly model: ModelValues;
  readonly classes?: number | undefined;
  readonly client: number;
  readonly round: number;
  /** Where it asks more of clients than training. */
  readonly strategy?: StrategyName | undefined;
  /** Where its clients find what they remember. */
  readonly volume?: string | undefined;
}

/** What the worker trains on, read by the main thread; the images and labels are in shared memory. */
export interface TrainStart {
  readonly model: Model;
  readonly optimizer: OptimizerSettings;
  readonly loss: LossSettings;
  /** What the strategy adds to each gradient. */
  readonly correction?: Weights | undefined;
  readonly examples: Examples;
}

/** A finished training: the weights, and what the last epoch showed. */
export interface WorkerOutcome {
  readonly weights: Weights;
  /** What the training ran on, e.g. `onnx/cpu with blocks of 16`. */
  readonly engine: string;
  /** Mean training loss over the last epoch, and accuracy where an answer can be right. */
  readonly loss: number;
  readonly accuracy?: number | undefined;
}

/** What the worker is told: once what to train on, and at any time to stop. */
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
