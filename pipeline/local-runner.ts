/** The runner of this machine: opens and closes the rounds' records, all files on the run's volume. */
import type { Manifest } from '../lib/formats/manifest.js';
import { concludeStage, type Results } from './conclude-stage.js';
import { evaluateStage } from './evaluate-stage.js';
import { initStage } from './init-stage.js';
import { type LocalRun, stopwatch } from './local-run.js';
import { openLedger, type RoundLedger } from './round-ledger.js';
import { tellRound } from './round-metrics.js';
import type { RoundWork } from './round-work.js';
import type { Runner } from './runner.js';

/** The runner of this machine, and what it does once the rounds are over. */
export interface LocalRunner extends Runner {
  /** Puts the results in their places and tests each client's own model of the last round; returns that round's record. */
  conclude(results: Results): Promise<RoundLedger['record']>;
}

/** A runner for `run`, whose data are split already; `work` is who does the work of its rounds. */
export function createLocalRunner(run: LocalRun, data: Manifest, work: RoundWork): LocalRunner {
  let ledger: RoundLedger | undefined;
  let best = -1;
  let spent = { train: 0, aggregate: 0 };
  const current = (): RoundLedger => {
    if (ledger === undefined) throw new Error('train comes first in a round');
    return ledger;
  };
  return {
    init: () => initStage(run),
    async train(task) {
      const { round, global, clients: selected, quorum } = task;
      const opened = await openLedger(run.paths.round(round), {
        round,
        parent: global.sha256,
        selected,
        quorum,
      });
      ledger = opened;
      const { result, seconds } = await stopwatch(() => work.train({ task, data, ledger: opened }));
      spent = { train: seconds, aggregate: 0 };
      return result;
    },
    async aggregate(task) {
      const { result, seconds } = await stopwatch(() => work.aggregate({ task, data, ledger: current() }));
      spent = { ...spent, aggregate: seconds };
      return result;
    },
    async evaluate(task) {
      const { record: before } = current();
      const evaluating = () => evaluateStage(run, { task, data, ledger: current(), best, test: work.test });
      const { result: evaluation, seconds } = await stopwatch(evaluating);
      best = Math.max(best, evaluation.accuracy);
      // A round that was over before has its line in metrics.jsonl.
      if (current().record !== before) await tellRound(run, current(), { ...spent, evaluate: seconds, best });
      return evaluation;
    },
    async conclude(results) {
      await concludeStage(run, { ...results, data, ledger: current(), work });
      return current().record;
    },
  };
}
