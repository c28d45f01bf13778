/** The arguments of a stage's program that come from a run's settings. */
import { flagOf, type SettingsStage, valueAt } from './setting.js';
import { SETTINGS } from './table.js';
import type { SettingValue } from './value-type.js';

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
  instead: Readonly<Record<string, SettingValue>> = {},
): readonly string[] {
  return SETTINGS.filter(({ stages }) => stages.includes(stage)).flatMap((setting) => {
    const value = instead[setting.place] ?? valueAt(settings, setting.place);
    const flag = flagOf(setting, stage);
    if (value === undefined || value === false || flag === undefined) return [];
    return value === true ? [flag] : [flag, `${value}`];
  });
}
