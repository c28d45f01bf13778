/** What the round loop needs of whatever runs the stages: processes here, Kubernetes Jobs, or a simulation. */
import type { AcrossClients } from '../../lib/federation/across-clients.js';
import type { StopRules } from '../../lib/federation/early-stop.js';
import type { TestFigures } from '../../lib/federation/metrics.js';
import type { Selection } from '../../lib/federation/participation.js';
import type { MissingClient, Quorum } from '../../lib/federation/quorum.js';

/** Who takes part in the rounds, and how long they go on. */
export interface FederationPlan extends Selection, StopRules {
  /** Of the selection. */
  readonly seed: number;
  /** Updates that a round needs; without it all selected clients have to report. */
  readonly quorum?: Quorum | undefined;
}

/** What one round came to; who reported and who is missing, of the last round alone. */
export interface RoundOutcome extends Partial<TrainOutcome> {
  readonly round: number;
  /** The global model that the round ended with. */
  readonly global: GlobalModel;
  readonly evaluation: Evaluation;
  /** How many clients were selected, and how many of them did not count. */
  readonly participation: Readonly<Record<'selected' | 'missing' | 'rejected', number>>;
}

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
export interface Evaluation extends TestFigures {
  readonly examples: number;
  /** Mean loss; not finite when training diverged. */
  readonly loss: number;
  /** How it does client by client, where clients hold examples out. */
  readonly acrossClients?: AcrossClients | undefined;
  /** An earlier attempt had made the test. */
  readonly isSkipped?: boolean;
}

/** A round's training: the selected clients, each from the same global model. */
export interface TrainTask {
  readonly round: number;
  readonly global: GlobalModel;
  /** The selected clients, in ascending order. */
  readonly clients: readonly number[];
  /** Fewest clients that have to report; without it all have to, and the first failure is the round's. */
  readonly quorum?: number | undefined;
}

/** What came of a round's training: every selected client is in one of the lists. */
export interface TrainOutcome {
  readonly reported: readonly ClientResult[];
  /** Clients that crashed, refused or were late, each with its reason. */
  readonly missing: readonly MissingClient[];
}

/** A round's aggregation. */
export interface AggregateTask {
  readonly round: number;
  readonly global: GlobalModel;
  readonly updates: readonly ClientResult[];
  /** Fewest good ones among them; without it all have to be good. */
  readonly quorum?: number | undefined;
}

/** An update that did not count: by its client, or by its file where the name is not that of a client's update. */
export type RejectedUpdate =
  | { readonly client: number; readonly reason: string }
  | { readonly file: string; readonly reason: string };

/** The global model that a round ends with, and the updates that are not in it. */
export interface AggregateOutcome extends GlobalModel {
  readonly rejected: readonly RejectedUpdate[];
}

/** A round's accuracy test. */
export interface EvaluateTask {
  readonly round: number;
  readonly global: GlobalModel;
}

/** Runs the stages of a round. Each step is idempotent: what is done already is recognised and not done again. */
export interface Runner {
  /** The rounds, from the first on, that an earlier session has settled for good: the loop goes on after them. */
  settled?(plan: FederationPlan): Promise<readonly RoundOutcome[]>;
  /** The seeded initial model, w₀. */
  init(): Promise<GlobalModel>;
  /**
   * ClientUpdate(k, w) for each selected client, in parallel as far as the machine allows.
   *
   * @throws {ThresholdError} as soon as so many clients are missing that the quorum cannot be reached
   */
  train(task: TrainTask): Promise<TrainOutcome>;
  /**
   * The next global model: the mean of the updates, weighted by their examples.
   *
   * @throws {FedbatchError} with the exit code of a missed threshold when fewer than the quorum are good
   */
  aggregate(task: AggregateTask): Promise<AggregateOutcome>;
  /** The accuracy test. */
  evaluate(task: EvaluateTask): Promise<Evaluation>;
}

/** A run's failure tolerance, before a client counts as missing; the models of an undisturbed run do not depend on it. */
export interface Tolerance {
  /** How often a client whose training failed was retried. */
  readonly retries: number;
  /** Seconds that the clients of a round have; by default any. */
  readonly deadlineSeconds?: number | undefined;
}
