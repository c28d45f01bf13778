/** The runner of this machine: each stage a child process, all files on the run's volume. */
import type { Manifest } from '../lib/formats/manifest.js';
import { aggregateStage } from './aggregate-stage.js';
import { concludeStage, type Results } from './conclude-stage.js';
import { evaluateStage } from './evaluate-stage.js';
import { initStage } from './init-stage.js';
import { type LocalRun, stopwatch } from './local-run.js';
import { openLedger, type RoundLedger } from './round-ledger.js';
import { tellRound } from './round-metrics.js';
import type { Runner } from './runner.js';
import { type ClientTrainer, trainInProcess } from './train-client.js';
import { trainStage } from './train-stage.js';

/** The runner of this machine, and what it does once the rounds are over. */
export interface LocalRunner extends Runner {
  /** Puts the results in their places and tests each client's own model of the last round; returns that round's record. */
  conclude(results: Results): Promise<RoundLedger['record']>;
}

/** A runner for `run`, whose data are split already; `trainer` is what trains one client. */
export function createLocalRunner(
  run: LocalRun,
  data: Manifest,
  trainer: ClientTrainer = trainInProcess,
): LocalRunner {
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
      const { result, seconds } = await stopwatch(() =>
        trainStage(run, { task, data, ledger: opened, trainer }),
      );
      spent = { train: seconds, aggregate: 0 };
      return result;
    },
    async aggregate(task) {
      const { result, seconds } = await stopwatch(() => aggregateStage(run, { task, ledger: current() }));
      spent = { ...spent, aggregate: seconds };
      return result;
    },
    async evaluate(task) {
      const { record: before } = current();
      const evaluating = () => evaluateStage(run, { task, data, ledger: current(), best });
      const { result: evaluation, seconds } = await stopwatch(evaluating);
      best = Math.max(best, evaluation.accuracy);
      // A round that was over before has its line in the diary.
      if (current().record !== before) await tellRound(run, current(), { ...spent, evaluate: seconds, best });
      return evaluation;
    },
    async conclude(results) {
      await concludeStage(run, { ...results, data, ledger: current() });
      return current().record;
    },
  };
}
