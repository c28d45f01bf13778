/** From a run's settings back to the flags that ask for them: those that say what would not hold anyway. */
import { isFedbatchError } from '../core/errors.js';
import { valuesWithDefaults } from './complete.js';
import { flatSettings } from './differences.js';
import { runSettings } from './run-settings.js';
import { byPlace, flagOf, valueAt } from './setting.js';
import { type RunSettings, SETTINGS } from './table.js';
import type { SettingValue } from './value-type.js';

type Given = readonly (readonly [place: string, value: SettingValue])[];

/** The words that `run` is called with for these settings: flags, each with its value. */
export function runFlags(settings: RunSettings): readonly string[] {
  const given: Given = SETTINGS.flatMap((setting) => {
    const value = valueAt(settings, setting.place);
    return value === undefined || flagOf(setting) === undefined ? [] : [[setting.place, value] as const];
  });
  const needed = given.filter(
    ([place, value]) => value !== valuesWithDefaults(SETTINGS, valuesBut(given, place))(place),
  );
  return wordsOf(comesTo(needed, settings) ? needed : given);
}

const valuesBut = (given: Given, left: string) =>
  Object.fromEntries(given.filter(([place]) => place !== left));

/** Whether nothing but these gives the settings: a model's file has defaults of its own, and so may have others. */
function comesTo(given: Given, settings: RunSettings): boolean {
  try {
    const found = flatSettings(runSettings({ given: Object.fromEntries(given), named: byPlace }));
    const wanted = Object.entries(flatSettings(settings)).filter(([place]) => !place.endsWith('.sha256'));
    return (
      wanted.length === Object.keys(found).length && wanted.every(([place, value]) => found[place] === value)
    );
  } catch (error) {
    if (isFedbatchError(error)) return false;
    throw error;
  }
}

const wordsOf = (given: Given): readonly string[] =>
  given.flatMap(([place, value]) => {
    const setting = SETTINGS.find((each) => each.place === place);
    const flag = setting && flagOf(setting);
    if (flag === undefined || value === false) return [];
    return value === true ? [flag] : [flag, `${value}`];
  });
