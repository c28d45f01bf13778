/** The runner on a volume that it sees: opens and closes the rounds' records, skips what is done, asks a target for the rest. */
import { targetOf } from '../lib/federation/early-stop.js';
import { scoreOf, type TestFigures, valueOfScore } from '../lib/federation/metrics.js';
import type { Manifest } from '../lib/formats/manifest.js';
import { aggregateStage, isMadeOfUpdates } from './aggregate-stage.js';
import { concludeStage, type Results } from './conclude-stage.js';
import { clientAccuracyStage, evaluateStage, testByEvaluator } from './evaluate-stage.js';
import type { LocalRun } from './local-run.js';
import { initStage } from './opening-stages.js';
import { tellRound } from './record/metrics.js';
import { createPruner, NO_PRUNER } from './record/prune-rounds.js';
import { openLedger, type RoundLedger } from './record/round-ledger.js';
import { type ChainOf, chainOfRounds, outcomeOf, settledRounds } from './record/settled-rounds.js';
import { withLoss } from './rounds/outcomes.js';
import type { AggregateOutcome, AggregateTask, Runner, TrainOutcome, TrainTask } from './rounds/runner.js';
import { stopwatch, tellSkipped } from './rounds/telling.js';
import { trainStage } from './train-stage.js';

/** The runner, and what it does once the rounds are over. */
export interface VolumeRunner extends Runner {
  /** Puts the results in their places and tests each client's own model of the last round; returns that round's record. */
  conclude(results: Results): Promise<RoundLedger['record']>;
}

/** Later rounds can be made of them no more. */
const GONE =
  'Models that the run would go on from are gone: rounds before were pruned (--keep-rounds). All rounds are trained again.';

/** A step of a round, whose record is open. */
export interface RoundStep<Task> {
  readonly task: Task;
  readonly data: Manifest;
  readonly ledger: RoundLedger;
}

/** How clients are trained and their updates aggregated: a simulation leaves no updates on the volume. */
export interface RoundSteps extends Pick<ChainOf, 'isMadeOf'> {
  /** Every selected client is in the ledger afterwards, as reported or as missing. */
  train(run: LocalRun, step: RoundStep<TrainTask>): Promise<TrainOutcome>;
  aggregate(run: LocalRun, step: RoundStep<AggregateTask>): Promise<AggregateOutcome>;
}

const PROCESSES: RoundSteps = { train: trainStage, aggregate: aggregateStage, isMadeOf: isMadeOfUpdates };

interface RunnerOptions {
  readonly steps?: RoundSteps | undefined;
  /** The last rounds keep their files, so many; by default all do. */
  readonly keepRounds?: number | undefined;
}

/** A runner for `run`, whose data are split already. */
export function createVolumeRunner(
  run: LocalRun,
  data: Manifest,
  { steps = PROCESSES, keepRounds }: RunnerOptions = {},
): VolumeRunner {
  let ledger: RoundLedger | undefined;
  const target = targetOf(run.settings.federation);
  let best = { round: 0, score: Number.NEGATIVE_INFINITY };
  const tested = (round: number, evaluation: TestFigures): void => {
    const score = scoreOf(evaluation, target);
    if (best.round === 0 || score > best.score) best = { round, score };
  };
  const pruner = keepRounds === undefined ? NO_PRUNER : createPruner(run, keepRounds);
  let spent = { train: 0, aggregate: 0 };
  const current = (): RoundLedger => {
    if (ledger === undefined) throw new Error('train comes first in a round');
    return ledger;
  };
  return {
    async settled(plan) {
      const chain = await chainOfRounds(run, { plan, data, isMadeOf: steps.isMadeOf });
      const settled = chain.slice(0, await settledRounds(run, chain));
      const last = settled.at(-1);
      if (last === undefined) {
        if (chain.some(({ pruned }) => pruned !== undefined)) run.reporter.warn(GONE);
        return [];
      }
      for (const { round, evaluation } of settled) tested(round, withLoss(evaluation));
      await pruner.begin(settled, best.round);
      // Where these are all rounds, the end of the run tells of the last one.
      ledger = await openLedger(run.paths.round(last.round), last);
      tellSkipped(run, { stage: 'train' }, `rounds 1 to ${last.round}, by their records`);
      return settled.map((record) => outcomeOf(run, record));
    },
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
      const evaluating = () => evaluateStage(run, { task, data, ledger: current(), best: best.score });
      const { result: evaluation, seconds } = await stopwatch(evaluating);
      tested(task.round, evaluation);
      // A round that was over before has its line in metrics.jsonl.
      if (current().record !== before) {
        const value = valueOfScore(best.score, evaluation, target);
        await tellRound(run, current(), { ...spent, evaluate: seconds, best: value });
      }
      await pruner.after(task.round, best.round);
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
