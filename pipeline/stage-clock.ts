/** How long each stage of this run took, by the wall clock. */
import type { Runner } from './runner.js';

/** The stages whose time is told. The initial model counts as training. */
export type TimedStage = 'split' | 'train' | 'aggregate' | 'evaluate';

/** Seconds per stage, and from the start until now. */
export type StageSeconds = Readonly<Record<TimedStage | 'total', number>>;

/** A stop watch for the stages. */
export interface StageClock {
  time<T>(stage: TimedStage, task: () => Promise<T>): Promise<T>;
  seconds(): StageSeconds;
}

/** A clock that starts now. */
export function createStageClock(): StageClock {
  const startedAt = performance.now();
  const spent: Record<TimedStage, number> = { split: 0, train: 0, aggregate: 0, evaluate: 0 };
  return {
    async time(stage, task) {
      const from = performance.now();
      try {
        return await task();
      } finally {
        spent[stage] += (performance.now() - from) / 1000;
      }
    },
    seconds: () => ({ ...spent, total: (performance.now() - startedAt) / 1000 }),
  };
}

/** The same runner, each of its steps timed. */
export function timedRunner(runner: Runner, clock: StageClock): Runner {
  return {
    init: () => clock.time('train', () => runner.init()),
    train: (task) => clock.time('train', () => runner.train(task)),
    aggregate: (task) => clock.time('aggregate', () => runner.aggregate(task)),
    evaluate: (task) => clock.time('evaluate', () => runner.evaluate(task)),
  };
}
