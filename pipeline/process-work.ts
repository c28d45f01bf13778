/** The work of a round by child processes: one for each client and stage. */
import { aggregateStage } from './aggregate-stage.js';
import { clientAccuracyStage, testByEvaluator } from './evaluate-stage.js';
import type { LocalRun } from './local-run.js';
import type { RoundWork } from './round-work.js';
import { type ClientTrainer, trainInProcess } from './train-client.js';
import { trainStage } from './train-stage.js';

/** Work by processes; `trainer` is what trains one client. */
export function processWork(run: LocalRun, trainer: ClientTrainer = trainInProcess): RoundWork {
  return {
    train: (step) => trainStage(run, { ...step, trainer }),
    aggregate: (step) => aggregateStage(run, step),
    test: testByEvaluator(run),
    testClients: (ledger) => clientAccuracyStage(run, ledger),
    close: async () => undefined,
  };
}
