/** The runner on a volume that it sees: opens and closes the rounds' records, skips what is done, asks a target for the rest. */
import { targetOf } from '../lib/federation/early-stop.js';
import { scoreOf, valueOfScore } from '../lib/federation/metrics.js';
import type { Manifest } from '../lib/formats/manifest.js';
import { aggregateStage } from './aggregate-stage.js';
import { concludeStage, type Results } from './conclude-stage.js';
import { clientAccuracyStage, evaluateStage, testByEvaluator } from './evaluate-stage.js';
import type { LocalRun } from './local-run.js';
import { initStage } from './opening-stages.js';
import { tellRound } from './record/metrics.js';
import { openLedger, type RoundLedger } from './record/round-ledger.js';
import type { AggregateOutcome, AggregateTask, Runner, TrainOutcome, TrainTask } from './rounds/runner.js';
import { stopwatch } from './rounds/telling.js';
import { trainStage } from './train-stage.js';

/** The runner, and what it does once the rounds are over. */
export interface VolumeRunner extends Runner {
  /** Puts the results in their places and tests each client's own model of the last round; returns that round's record. */
  conclude(results: Results): Promise<RoundLedger['record']>;
}

/** A step of a round, whose record is open. */
export interface RoundStep<Task> {
  readonly task: Task;
  readonly data: Manifest;
  readonly ledger: RoundLedger;
}

/** How clients are trained and their updates aggregated: a simulation leaves no updates on the volume. */
export interface RoundSteps {
  /** Every selected client is in the ledger afterwards, as reported or as missing. */
  train(run: LocalRun, step: RoundStep<TrainTask>): Promise<TrainOutcome>;
  aggregate(run: LocalRun, step: RoundStep<AggregateTask>): Promise<AggregateOutcome>;
}

/** A runner for `run`, whose data are split already. */
export function createVolumeRunner(
  run: LocalRun,
  data: Manifest,
  steps: RoundSteps = { train: trainStage, aggregate: aggregateStage },
): VolumeRunner {
  let ledger: RoundLedger | undefined;
  const target = targetOf(run.settings.federation);
  let best = Number.NEGATIVE_INFINITY;
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
        ...{ round, selected, quorum },
        parent: global.sha256,
      });
      ledger = opened;
      const { result, seconds } = await stopwatch(() => steps.train(run, { task, data, ledger: opened }));
      spent = { train: seconds, aggregate: 0 };
      return result;
    },
    async aggregate(task) {
      const step = { task, data, ledger: current() };
      const { result, seconds } = await stopwatch(() => steps.aggregate(run, step));
      spent = { ...spent, aggregate: seconds };
      return result;
    },
    async evaluate(task) {
      const { record: before } = current();
      const evaluating = () => evaluateStage(run, { task, data, ledger: current(), best });
      const { result: evaluation, seconds } = await stopwatch(evaluating);
      best = Math.max(best, scoreOf(evaluation, target));
      // A round that was over before has its line in metrics.jsonl.
      if (current().record !== before) {
        const value = valueOfScore(best, evaluation, target);
        await tellRound(run, current(), { ...spent, evaluate: seconds, best: value });
      }
      return evaluation;
    },
    async conclude(results) {
      await concludeStage(run, { ...results, data, ledger: current(), test: testByEvaluator(run) });
      // Clients of a simulation leave no models to test.
      if (!run.settings.federation.simulate) await clientAccuracyStage(run, current());
      return current().record;
    },
  };
}
