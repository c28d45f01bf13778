/** The table of all settings, in the order of run.json, and the type of a run's settings. */
import { DATASET, MODEL, SEED } from './parts/data.js';
import { ENGINE } from './parts/engine.js';
import { FEDERATION, SIMULATION, TOLERANCE } from './parts/federation.js';
import { PARTITION } from './parts/partition.js';
import { STRATEGY } from './parts/strategy.js';
import { TRAINING } from './parts/training.js';
import type { Setting } from './setting.js';

/** The parts of a run's settings. */
export const RUN_PARTS = [
  SEED,
  DATASET,
  MODEL,
  ENGINE,
  TRAINING,
  FEDERATION,
  PARTITION,
  SIMULATION,
  STRATEGY,
] as const;

/** All settings. */
export const SETTINGS: readonly Setting[] = [...RUN_PARTS, TOLERANCE].flatMap(({ settings }) => settings);
