/** Runs the same stage for many clients side by side, within the machine's cores; the first failure stops them all. */
import { InterruptedError } from '../lib/federation/errors.js';
import { createBudget } from './cores.js';
import type { LocalRun } from './local-run.js';

/** One client's turn. */
export interface Turn {
  readonly client: number;
  /** Aborts with the run, and when another client's stage has failed. */
  readonly signal: AbortSignal;
}

/**
 * Calls `stage` for each client, at most `jobs` at a time, each counted with the run's threads; rejects with the
 * first failure once all have stopped.
 */
export async function sharingCores(
  { cores, jobs, threads, signal }: Pick<LocalRun, 'cores' | 'jobs' | 'threads' | 'signal'>,
  clients: readonly number[],
  stage: (turn: Turn) => Promise<void>,
): Promise<void> {
  const slots = createBudget(jobs);
  const freeCores = createBudget(cores);
  const failure = new AbortController();
  const stop = AbortSignal.any([signal, failure.signal]);
  const runOne = async (client: number): Promise<void> => {
    try {
      if (stop.aborted) throw new InterruptedError();
      await stage({ client, signal: stop });
    } catch (error) {
      failure.abort(error);
      throw error;
    }
  };
  const turns = clients.map((client) => slots.use(1, () => freeCores.use(threads, () => runOne(client))));
  await Promise.allSettled(turns);
  // The first reason given to the controller stays: the failure itself, not the interruptions that it caused.
  if (failure.signal.aborted) throw failure.signal.reason;
}
