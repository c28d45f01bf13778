/** What the stages of a run on this machine share. */
import type { VolumePaths } from '../lib/formats/volume.js';
import type { RunSettings } from '../lib/settings/table.js';
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
