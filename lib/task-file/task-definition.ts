/** What a file of `--task` says, as its author writes it: the model, how it is trained, what is done to the examples first. */
import type { Examples } from '../federation/examples.js';
import type { LossName } from '../federation/loss.js';
import type { MetricName } from '../federation/metrics.js';
import type { ModelName } from '../model/model-zoo.js';
import type { OptimizerName } from '../model/optimizers/optimizer-names.js';
import type { OptimizerFlags } from '../settings/parts/training.js';
import type { KerasConfig } from './keras-builders.js';

// What a task imports from fedbatch is this module.
export { functionalModel, input, layer, sequentialModel } from './keras-builders.js';

/** A model that comes with fedbatch, made for the data and the loss. */
export interface ZooModel {
  readonly zoo: ModelName;
  /** Units of its hidden layers, where it takes them. */
  readonly hidden?: readonly number[];
}

/**
 * The model: one of Keras' configs, one that comes with fedbatch, or the path of a file (`.h5`, `.keras`, or the `.json`
 * of `to_json`), seen from the task's file.
 */
export type TaskModel = KerasConfig | ZooModel | string;

/** A loss as `--loss` takes it: its name, with parameters behind a colon. */
export type LossText = LossName | `${LossName}:${string}`;

/** What is learned: all that `--task` takes from a file's default export. Flags win over it. */
export interface TaskDefinition extends Omit<OptimizerFlags, 'optimizer'> {
  readonly model: TaskModel;
  /**
   * As `--loss` takes it: `mse`, `huber:delta=2`; of several outputs by name, with weights in their sum:
   * `{ price: 'mse:weight=0.5', kind: 'categorical_crossentropy' }`. By default what goes with model and data.
   */
  readonly loss?: LossText | Readonly<Record<string, LossText>>;
  /**
   * The metrics that the run reports, the one that leads first: it says which model is the best one and what `--patience`
   * waits for. Of several outputs `rmse` means that of each, `price_rmse` that of one. By default all that the task has.
   */
  readonly metrics?: readonly (MetricName | `${string}_${MetricName}`)[];
  /** The clients' optimizer; by default Adam, or that of a compiled model. */
  readonly optimizer?: OptimizerName;
  /**
   * Makes of examples as they are stored those that the model takes: as many, in the same order. It has to be a pure
   * function of them, since it runs once over all of a dataset, or once for each file of it.
   */
  readonly prepare?: (examples: Examples) => Examples;
}

/** The same task: the call is there for the types, and for what an editor makes of them. */
export const defineTask = (task: TaskDefinition): TaskDefinition => task;

/** A model that comes with fedbatch: `zoo('mlp', { hidden: [64, 32] })`. */
export const zoo = (name: ModelName, options: Omit<ZooModel, 'zoo'> = {}): ZooModel => ({
  zoo: name,
  ...options,
});
