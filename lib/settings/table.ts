/** The table of all settings, in the order of run.json, and the type of a run's settings. */
import type { SettingsOfParts } from './complete.js';
import { DATASET, DATASET_NAMES, MODEL, SEED } from './parts/data.js';
import { ENGINE } from './parts/engine.js';
import { CLIENTS, HOLDOUT, KEEPING, ROUNDS, SIMULATION, TOLERANCE } from './parts/federation.js';
import { PARTITION } from './parts/partition.js';
import { STRATEGY } from './parts/strategy.js';
import { TRAINING } from './parts/training.js';
import { WATCHING } from './parts/watching.js';
import { flagOf, type Setting, type SettingsStage, valueAt } from './setting.js';
import type { SettingValue } from './value-type.js';

/** The parts of a run's settings. */
export const RUN_PARTS = [
  SEED,
  DATASET,
  MODEL,
  ENGINE,
  TRAINING,
  CLIENTS,
  ROUNDS,
  PARTITION,
  HOLDOUT,
  SIMULATION,
  STRATEGY,
] as const;

/** The same, and what a run is asked for beside its settings. */
export const ALL_PARTS = [...RUN_PARTS, TOLERANCE, WATCHING, KEEPING] as const;

/** All settings. */
export const SETTINGS: readonly Setting[] = ALL_PARTS.flatMap(({ settings }) => settings);

/** Everything that a run's result depends on; two runs of equal settings give the same bytes. */
export type RunSettings = SettingsOfParts<typeof RUN_PARTS>;

/** The files of the user that settings name, by their places. */
export const filesIn = (
  value: (place: string) => SettingValue | undefined,
): readonly (readonly [place: string, file: string])[] =>
  SETTINGS.filter(({ isFile }) => isFile).flatMap(({ place }) => {
    const file = value(place);
    return file === undefined || DATASET_NAMES.includes(`${file}`) ? [] : [[place, `${file}`] as const];
  });

/** Whether the setting at a place is on record and means nothing beside the others: momentum, where Adam trains. */
export function isIdle(at: string, settings: RunSettings): boolean {
  const { place, idle = [] } = SETTINGS.find((each) => each.place === at)?.defaultsBy ?? { place: '' };
  return idle.includes(`${valueAt(settings, place)}`);
}

/** The setting at a place. */
export function settingAt(place: string): Setting {
  const found = SETTINGS.find((each) => each.place === place);
  if (found === undefined) throw new Error(`${place} is no setting`);
  return found;
}

/**
 * Flags and values of the settings that a stage takes, in the order of the table. What is not given is left to the
 * defaults of the stage, which are those of the table.
 *
 * @param settings of a run, or the parts of them that the stage takes
 * @param instead values of this call in the place of the run's, e.g. `training.learningRate` of a round
 */
export function settingArguments(
  stage: SettingsStage,
  settings: object,
  instead: Readonly<Record<string, SettingValue | undefined>> = {},
): readonly string[] {
  return SETTINGS.filter(({ stages }) => stages.includes(stage)).flatMap((setting) => {
    const value = instead[setting.place] ?? valueAt(settings, setting.place);
    const flag = flagOf(setting, stage);
    if (value === undefined || value === false || flag === undefined) return [];
    return value === true ? [flag] : [flag, `${value}`];
  });
}
