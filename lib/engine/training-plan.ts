/** What a client's training is besides the client, the round and the model: the same for all clients of a run. */

import type { BatchSize, LocalWork } from '../federation/local-work.js';
import type { OptimizerSettings } from './engine.js';
import type { EngineChoice } from './engine-choice.js';

/** Plain data: it passes between threads. */
export interface TrainingPlan {
  /** Epochs or steps. */
  readonly work: LocalWork;
  readonly batchSize: BatchSize;
  readonly optimizer: OptimizerSettings;
  /** μ of FedProx' term. */
  readonly proximal: number;
  /** The run's seed; client and round get streams of their own. */
  readonly seed: number;
  readonly engine: EngineChoice;
  /** Processor threads of each session. */
  readonly threads: number;
}
