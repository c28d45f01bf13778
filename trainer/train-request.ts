/** What passes between the trainer's main thread and its worker: plain data only. */
import type { OptimizerSettings } from '../lib/engine/engine.js';
import type { LocalTrainingProgress } from '../lib/engine/local-training.js';
import type { EngineChoice } from '../lib/federation/engine-choice.js';
import type { BatchSize, LocalWork } from '../lib/federation/local-work.js';
import type { ModelName } from '../lib/federation/model-names.js';
import type { ErrorMessage } from '../lib/federation/transported-error.js';
import type { KerasFile } from '../lib/formats/keras-file.js';

/** One client's training in one round. */
export interface TrainRequest {
  /** The client's shard (npz). */
  readonly data: string;
  /** The global model to start from (h5); without it, the seeded initial model named by `model`. */
  readonly init?: string;
  readonly model: ModelName;
  readonly classes?: number;
  readonly client: number;
  readonly round: number;
  /** Epochs or steps. */
  readonly work: LocalWork;
  readonly batchSize: BatchSize;
  readonly optimizer: OptimizerSettings;
  /** μ of FedProx' term. */
  readonly proximal: number;
  /** The run's seed; client and round get streams of their own. */
  readonly seed: number;
  readonly engine: EngineChoice;
  readonly threads: number;
}

/** A finished training: the update as a Keras file, and what the last epoch showed. */
export interface TrainOutcome {
  readonly file: KerasFile;
  /** What the training ran on, e.g. `onnx/cpu with blocks of 16`. */
  readonly engine: string;
  readonly examples: number;
  /** Mean training loss and accuracy over the last epoch. */
  readonly loss: number;
  readonly accuracy: number;
}

/** What the worker says. */
export type WorkerMessage =
  | {
      readonly kind: 'ready';
      readonly engine: string;
      /** Why this engine. */
      readonly why: string;
      readonly parameters: number;
    }
  | { readonly kind: 'progress'; readonly progress: LocalTrainingProgress }
  | { readonly kind: 'done'; readonly outcome: TrainOutcome }
  | { readonly kind: 'failed'; readonly error: ErrorMessage };
