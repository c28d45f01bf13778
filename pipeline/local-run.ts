/** What the stages of a run on this machine share: its facts, and the cores that trainers and tests have. */

import { InterruptedError } from '../lib/core/errors.js';
import { selectedCount } from '../lib/federation/participation.js';
import type { VolumePaths } from '../lib/formats/volume.js';
import type { RunSettings } from '../lib/settings/table.js';
import { forMany } from '../lib/system/abort.js';
import { availableCores } from '../lib/system/hardware.js';
import { createSlots } from '../lib/system/slots.js';
import type { MetricsFile } from './record/metrics.js';
import type { Tolerance } from './rounds/runner.js';
import type { StageContext, Target } from './rounds/target.js';

/** A run on this machine. */
export interface LocalRun extends StageContext {
  readonly paths: VolumePaths;
  readonly settings: RunSettings;
  /** Trainers side by side at most. */
  readonly jobs: number;
  /** Threads of each trainer: the same for all, whatever runs beside it, so that its bytes depend on nothing else. */
  readonly threads: number;
  /** Cores that all stages together may use. */
  readonly cores: number;
  readonly metrics: MetricsFile;
  readonly tolerance: Tolerance;
  /** What runs its stages. */
  readonly target: Target;
  /** Engines that trainers were said to run on: each is told once. */
  readonly toldEngines: Set<string>;
}

/** How much faster a training step is on T threads, as an exponent: 1.64× on 2 threads were measured. */
const THREAD_SPEEDUP = 0.7;

/**
 * Threads of each trainer: the number with which `clients` equal trainings on `cores` cores are done soonest, in waves
 * of as many as fit beside each other. It depends on nothing else, and is recorded with the run: another number of
 * threads sums in another order, and the last bits of a model would differ.
 */
export function planThreads({
  clients,
  cores,
}: {
  readonly clients: number;
  readonly cores: number;
}): number {
  const candidates = Array.from({ length: cores }, (_, index) => index + 1);
  const duration = (threads: number) =>
    Math.ceil(clients / Math.floor(cores / threads)) / threads ** THREAD_SPEEDUP;
  return candidates.reduce((best, threads) => (duration(threads) < duration(best) ? threads : best), 1);
}

/** Threads of each trainer of a run on so many cores: those that are asked for, or planned; a pool of workers with a thread each is never idle. */
export function threadsOf(
  { federation }: RunSettings,
  asked: number | undefined,
  cores: number = availableCores(),
): number {
  if (asked !== undefined || federation.simulate) return asked ?? 1;
  return planThreads({ clients: selectedCount(federation), cores });
}

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
  const slots = createSlots(jobs);
  const freeCores = createSlots(cores);
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
  const turns = items.map((item) => slots.use(() => freeCores.use(() => runOne(item), { count: threads })));
  await Promise.allSettled(turns);
  // The first reason given to the controller stays: the failure itself, not the interruptions that it caused.
  if (failure.signal.aborted) throw failure.signal.reason;
}
