/** How long each stage of this run took, by the wall clock. */
import type { Place } from './run-failure.js';
import type { Runner } from './runner.js';

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
    init: () => clock.time('train', () => runner.init(), { stage: 'init' }),
    train: (task) => clock.time('train', () => runner.train(task), at('train', task)),
    aggregate: (task) => clock.time('aggregate', () => runner.aggregate(task), at('aggregate', task)),
    evaluate: (task) => clock.time('evaluate', () => runner.evaluate(task), at('evaluate', task)),
  };
}

const at = (stage: TimedStage, { round }: { readonly round: number }): Place => ({ stage, round });
