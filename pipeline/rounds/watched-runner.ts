/** What watches a runner: how long its stages take and where it failed, what a reader is told of its rounds. */

import { bestRound, reasonToStop, type StopRules, targetOf } from '../../lib/federation/early-stop.js';
import { leadingFigure, metricIn } from '../../lib/federation/metrics.js';
import type { Reporter, RoundEvent } from '../../lib/observability/events.js';
import type { Place } from './run-failure.js';
import type { Evaluation, Runner } from './runner.js';

/** The stages whose time is told. The initial model counts as training. */
type TimedStage = 'split' | 'train' | 'aggregate' | 'evaluate';

/** Seconds per stage, and from the start until now. */
export type StageSeconds = Readonly<Record<TimedStage | 'total', number>>;

/** A stop watch for the stages. */
export interface StageClock {
  /** Adds to the time of `stage`; a failure is noted as one at `place`. */
  time<T>(stage: TimedStage, task: () => Promise<T>, place?: Place): Promise<T>;
  seconds(): StageSeconds;
  /** Where the first task that failed was at work. */
  failedAt(): Place | undefined;
}

/** A clock that starts now. */
export function createStageClock(): StageClock {
  const startedAt = performance.now();
  const spent: Record<TimedStage, number> = { split: 0, train: 0, aggregate: 0, evaluate: 0 };
  let failedAt: Place | undefined;
  return {
    async time(stage, task, place = { stage }) {
      const from = performance.now();
      try {
        return await task();
      } catch (error) {
        failedAt ??= place;
        throw error;
      } finally {
        spent[stage] += (performance.now() - from) / 1000;
      }
    },
    seconds: () => ({ ...spent, total: (performance.now() - startedAt) / 1000 }),
    failedAt: () => failedAt,
  };
}

/** The same runner, each of its steps timed. */
export function timedRunner(runner: Runner, clock: StageClock): Runner {
  return {
    settled: (plan) => clock.time('train', async () => (await runner.settled?.(plan)) ?? []),
    init: () => clock.time('train', () => runner.init(), { stage: 'init' }),
    train: (task) => clock.time('train', () => runner.train(task), at('train', task)),
    aggregate: (task) => clock.time('aggregate', () => runner.aggregate(task), at('aggregate', task)),
    evaluate: (task) => clock.time('evaluate', () => runner.evaluate(task), at('evaluate', task)),
  };
}

const at = (stage: TimedStage, { round }: { readonly round: number }): Place => ({ stage, round });

/** The same runner, each of its rounds told. */
export function toldRunner(
  runner: Runner,
  { rules, reporter }: { readonly rules: StopRules; readonly reporter: Reporter },
): Runner {
  const { rounds } = rules;
  let startedAt = 0;
  const tests: Evaluation[] = [];
  const target = targetOf(rules);
  // Of this session: rounds that an earlier one had done took no time.
  const spent: number[] = [];
  let participation: RoundEvent['participation'] = { selected: 0, reported: 0, rejected: 0, missing: 0 };
  const tell = (round: number, evaluation: Evaluation, settled: { readonly isSettled?: true } = {}) => {
    const { accuracy, loss, isSkipped = false } = evaluation;
    const seconds = settled.isSettled ? 0 : (performance.now() - startedAt) / 1000;
    if (!isSkipped) spent.push(seconds);
    const mean = spent.reduce((sum, each) => sum + each, 0) / spent.length;
    const { metric, value } = leadingFigure(evaluation, target);
    const before = tests.at(-1);
    tests.push(evaluation);
    const isMoreToDo = spent.length > 0 && reasonToStop(tests, rules) === undefined;
    const best = bestRound(tests, rules);
    reporter.round({
      ...{ round, rounds, metric, value, loss, participation, seconds, isSkipped, ...settled },
      best: { round: best, value: metricIn(tests[best - 1] ?? evaluation, metric) },
      ...(accuracy === undefined ? {} : { accuracy }),
      ...(before === undefined ? {} : { change: value - metricIn(before, metric) }),
      ...(isMoreToDo ? { secondsLeft: mean * (rounds - round) } : {}),
    });
  };
  return {
    async settled(plan) {
      const settled = (await runner.settled?.(plan)) ?? [];
      for (const { round, evaluation, participation: turns } of settled) {
        participation = { ...turns, reported: turns.selected - turns.missing };
        tell(round, evaluation, { isSettled: true });
      }
      return settled;
    },
    init: () => runner.init(),
    async train(task) {
      startedAt = performance.now();
      const source = { stage: 'train' } as const;
      const { round, clients } = task;
      reporter.progress({ ...source, round, rounds, done: 0, total: clients.length, unit: 'clients' });
      const outcome = await runner.train(task).finally(() => reporter.close(source));
      const { reported, missing } = outcome;
      const numbers = { reported: reported.length, missing: missing.length };
      participation = { selected: clients.length, rejected: 0, ...numbers };
      return outcome;
    },
    async aggregate(task) {
      const outcome = await runner.aggregate(task);
      const rejected = outcome.rejected.filter((each) => 'client' in each).length;
      participation = { ...participation, rejected };
      return outcome;
    },
    async evaluate(task) {
      const evaluation = await runner.evaluate(task);
      tell(task.round, evaluation);
      return evaluation;
    },
  };
}
