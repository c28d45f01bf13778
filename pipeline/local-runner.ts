/** The runner of this machine: each stage a child process, all files on the run's volume. */
import type { Manifest } from '../lib/formats/manifest.js';
import { aggregateStage } from './aggregate-stage.js';
import { clientAccuracyStage, evaluateStage, testByEvaluator } from './evaluate-stage.js';
import { initStage } from './init-stage.js';
import type { LocalRun } from './local-run.js';
import { openLedger, type RoundLedger } from './round-ledger.js';
import type { Runner } from './runner.js';
import { trainStage } from './train-stage.js';

/** The runner of this machine, and what it can tell once the rounds are over. */
export interface LocalRunner extends Runner {
  /** Tests each client's own model of the last round, beside the average. */
  evaluateClients(): Promise<RoundLedger['record']>;
  /** Ends what lives longer than a stage. */
  close(): Promise<void>;
}

/** A runner for `run`, whose data are split already. */
export function createLocalRunner(run: LocalRun, data: Manifest): LocalRunner {
  let ledger: RoundLedger | undefined;
  let best = -1;
  const current = (): RoundLedger => {
    if (ledger === undefined) throw new Error('train comes first in a round');
    return ledger;
  };
  return {
    init: () => initStage(run),
    async train(task) {
      const { round, global, clients } = task;
      ledger = await openLedger(run.paths.round(round), { round, parent: global.sha256, selected: clients });
      return await trainStage(run, { task, data, ledger });
    },
    aggregate: (task) => aggregateStage(run, { task, ledger: current() }),
    async evaluate(task) {
      const evaluation = await evaluateStage(run, {
        task,
        data,
        ledger: current(),
        best,
        test: testByEvaluator(run),
      });
      best = Math.max(best, evaluation.accuracy);
      return evaluation;
    },
    async evaluateClients() {
      await clientAccuracyStage(run, current());
      return current().record;
    },
    close: async () => undefined,
  };
}
