/** Runs the same stage for many clients side by side, within the machine's cores; the first failure stops them all. */
import { InterruptedError } from '../lib/federation/errors.js';
import { createBudget, planThreads } from './cores.js';
import type { LocalRun } from './local-run.js';

/** One client's turn. */
export interface Turn {
  readonly client: number;
  /** Threads that its stage may use. */
  readonly threads: number;
  /** Aborts with the run, and when another client's stage has failed. */
  readonly signal: AbortSignal;
}

/** Whose turn it is. */
export interface Turns {
  /** All clients of the stage. */
  readonly clients: readonly number[];
  /** Those of them whose stage is still to be run. */
  readonly missing: readonly number[];
}

/**
 * Calls `stage` for each missing client, at most `jobs` at a time; rejects with the first failure once all have
 * stopped. A client has the same threads whether others were done before or not, so that a run that goes on after
 * an interruption computes what an undisturbed one does, to the last bit.
 */
export async function sharingCores(
  { cores, jobs, signal }: Pick<LocalRun, 'cores' | 'jobs' | 'signal'>,
  { clients, missing }: Turns,
  stage: (turn: Turn) => Promise<void>,
): Promise<void> {
  const threadsOf = planThreads({ tasks: clients.length, jobs, cores });
  const slots = createBudget(jobs);
  const freeCores = createBudget(cores);
  const failure = new AbortController();
  const stop = AbortSignal.any([signal, failure.signal]);
  const runOne = async (client: number, threads: number): Promise<void> => {
    try {
      if (stop.aborted) throw new InterruptedError();
      await stage({ client, threads, signal: stop });
    } catch (error) {
      failure.abort(error);
      throw error;
    }
  };
  const turns = missing.map((client) => {
    const threads = threadsOf[clients.indexOf(client)] ?? 1;
    return slots.use(1, () => freeCores.use(threads, () => runOne(client, threads)));
  });
  await Promise.allSettled(turns);
  // The first reason given to the controller stays: the failure itself, not the interruptions that it caused.
  if (failure.signal.aborted) throw failure.signal.reason;
}
