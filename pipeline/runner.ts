/** What the round loop needs of whatever runs the stages: processes here, Kubernetes Jobs, or a simulation. */

/** A global model: where it lies and what it is. */
export interface GlobalModel {
  /** Path on the volume. */
  readonly file: string;
  /** sha256 of the file; updates name it as their parent. */
  readonly sha256: string;
}

/** What one client reports: its update lies on the volume. */
export interface ClientResult {
  readonly client: number;
  /** Number of training examples: the update's weight in the average. */
  readonly examples: number;
  readonly seconds: number;
  /** sha256 of the update's file; a simulation makes none. */
  readonly sha256?: string | undefined;
}

/** How a model does on the held-out examples. */
export interface Evaluation {
  readonly examples: number;
  /** Mean cross-entropy; not finite when training diverged. */
  readonly loss: number;
  /** Share of right answers, 0 to 1. */
  readonly accuracy: number;
}

/** A round's training: the selected clients, each from the same global model. */
export interface TrainTask {
  readonly round: number;
  readonly global: GlobalModel;
  readonly clients: readonly number[];
}

/** A round's aggregation. */
export interface AggregateTask {
  readonly round: number;
  readonly global: GlobalModel;
  readonly updates: readonly ClientResult[];
}

/** A round's accuracy test. */
export interface EvaluateTask {
  readonly round: number;
  readonly global: GlobalModel;
}

/** Runs the stages of a round. Each step is idempotent: what is done already is recognised and not done again. */
export interface Runner {
  /** The seeded initial model, w₀. */
  init(): Promise<GlobalModel>;
  /** ClientUpdate(k, w) for each selected client, in parallel as far as the machine allows. */
  train(task: TrainTask): Promise<readonly ClientResult[]>;
  /** The next global model: the mean of the updates, weighted by their examples. */
  aggregate(task: AggregateTask): Promise<GlobalModel>;
  /** The accuracy test. */
  evaluate(task: EvaluateTask): Promise<Evaluation>;
}
