/** What the stages of a run on this machine share. */

import type { VolumePaths } from '../lib/formats/volume.js';
import { formatSeconds } from '../lib/observability/format.js';
import { NAME_WIDTH } from '../lib/observability/progress-line.js';
import type { RunSettings } from '../lib/settings/table.js';
import type { MetricsFile } from './metrics.js';
import { type StageContext, type StageTask, stageName } from './stage-process.js';
import type { Target } from './target.js';

/** A run's failure tolerance, before a client counts as missing; the models of an undisturbed run do not depend on it. */
export interface Tolerance {
  /** How often a client whose training failed is tried again. */
  readonly retries: number;
  /** Seconds that the clients of a round have; by default any. */
  readonly deadlineSeconds?: number | undefined;
}

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

/** What is told of: a stage, or its part of a round. */
type Told = Pick<StageTask, 'stage' | 'round'>;

/** Tells in one line what a stage did. */
export function tell({ reporter }: Pick<LocalRun, 'reporter'>, told: Told, text: string): void {
  const name = stageName(told).padEnd(NAME_WIDTH);
  if (told.round === undefined) reporter.info(`${name}  ${text}`, { ...told });
  else reporter.step(`${name}  round ${told.round}: ${text}`, { ...told });
}

/** Tells that a stage was done before, and is skipped. */
export function tellSkipped(run: Pick<LocalRun, 'reporter'>, told: Told, what: string): void {
  tell(run, told, `${what}, done before: skipped`);
}

/** Runs a task and says how long it took, e.g. `3.2 s`. */
export async function stopwatch<T>(
  task: () => Promise<T>,
): Promise<{ result: T; seconds: number; took: string }> {
  const from = performance.now();
  const result = await task();
  const seconds = (performance.now() - from) / 1000;
  return { result, seconds, took: formatSeconds(seconds) };
}

/** A number of things in words: `1 shard`, `3 shards`. */
export function count(number: number, thing: string): string {
  return `${number} ${thing}${number === 1 ? '' : 's'}`;
}
