/** Who does the work of a round: processes, one for each client and stage, or a simulator. */
import type { Manifest } from '../lib/formats/manifest.js';
import type { TestModel } from './evaluate-stage.js';
import type { RoundLedger } from './round-ledger.js';
import type { AggregateOutcome, AggregateTask, TrainOutcome, TrainTask } from './runner.js';

/** A step of a round, whose record is open. */
export interface RoundStep<Task> {
  readonly task: Task;
  readonly data: Manifest;
  readonly ledger: RoundLedger;
}

/** The steps of a round. What is done already is recognised and not done again. */
export interface RoundWork {
  /** Every selected client is in the ledger afterwards, as reported or as missing. */
  train(step: RoundStep<TrainTask>): Promise<TrainOutcome>;
  aggregate(step: RoundStep<AggregateTask>): Promise<AggregateOutcome>;
  readonly test: TestModel;
  /** Tests the clients' own models of a round, where they are kept. */
  testClients?(ledger: RoundLedger): Promise<void>;
  /** Ends what lives longer than a step. */
  close(): Promise<void>;
}
