/** Runs the same stage many times side by side, within the machine's cores; the first failure stops them all. */
import { InterruptedError } from '../lib/core/errors.js';
import { forMany } from '../lib/system/abort.js';
import { createBudget } from './cores.js';
import type { LocalRun } from './local-run.js';

/**
 * Calls `stage` for each item (such as a client), at most `jobs` at a time, each counted with the run's threads; rejects
 * with the first failure once all have stopped.
 *
 * @param stage its signal aborts with the run, and when the stage of another item has failed
 */
export async function sharingCores<Item>(
  { cores, jobs, threads, signal }: Pick<LocalRun, 'cores' | 'jobs' | 'threads' | 'signal'>,
  items: readonly Item[],
  stage: (item: Item, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const slots = createBudget(jobs);
  const freeCores = createBudget(cores);
  const failure = new AbortController();
  const stop = forMany(AbortSignal.any([signal, failure.signal]));
  const runOne = async (item: Item): Promise<void> => {
    try {
      if (stop.aborted) throw new InterruptedError();
      await stage(item, stop);
    } catch (error) {
      failure.abort(error);
      throw error;
    }
  };
  const turns = items.map((item) => slots.use(1, () => freeCores.use(threads, () => runOne(item))));
  await Promise.allSettled(turns);
  // The first reason given to the controller stays: the failure itself, not the interruptions that it caused.
  if (failure.signal.aborted) throw failure.signal.reason;
}
