/** The axes of a sweep: settings, each with the values that it takes or the range that they are drawn from. */
import { UsageError } from '../lib/core/errors.js';
import { nearest } from '../lib/settings/config-file.js';
import { flagOf, type Setting } from '../lib/settings/setting.js';
import { SETTINGS } from '../lib/settings/table.js';
import { checkedValue, expectedOf, parseText, type SettingValue } from '../lib/settings/value-type.js';

/** The axis that repeats each configuration: trials that differ in nothing else are one row. */
export const SEED_PLACE = 'seed';

/** Numbers between two ends, both included; in a logarithmic one each factor is as likely as another. */
export interface AxisRange {
  readonly from: number;
  readonly to: number;
  readonly isLog: boolean;
}

/** A setting that is varied. */
export interface Axis {
  readonly setting: Setting;
  /** Where the setting stands in the settings of a run. */
  readonly place: string;
  /** What people call it: its flag without dashes, else its place. */
  readonly name: string;
  /** The values in their order, or the range of a number. */
  readonly among: readonly SettingValue[] | AxisRange;
}

/** Whether an axis has a range in the place of values. */
export const rangeOf = ({ among }: Pick<Axis, 'among'>): AxisRange | undefined =>
  'from' in among ? among : undefined;

/** The values of an axis; none of a range. */
export const valuesOfAxis = ({ among }: Pick<Axis, 'among'>): readonly SettingValue[] =>
  'from' in among ? [] : among;

/**
 * Reads `learning-rate=0.1,0.01`, `hidden=64;64,32` (semicolons where values have commas of their own) or
 * `learning-rate=log:1e-4..1e-1`.
 *
 * @throws {UsageError} for what is no setting, or no value of it
 */
export function parseAxis(text: string): Axis {
  const [name = '', ...rest] = text.split('=');
  const given = rest.join('=').trim();
  if (name.trim() === '' || given === '') {
    throw new UsageError(
      `Expected a setting and its values such as learning-rate=0.1,0.01, found "${text}".`,
    );
  }
  return axisOf(name, given);
}

/** The axis of a setting by its flag or place; `among` is its values, or text as in {@link parseAxis}. @throws {UsageError} */
export function axisOf(given: string, among: string | readonly SettingValue[]): Axis {
  const setting = settingNamed(given.trim());
  const { place } = setting;
  const name = nameOf(setting);
  if (typeof among === 'string') {
    const range = parseRange(setting, among);
    if (range !== undefined) return { setting, place, name, among: range };
  }
  const texts = typeof among === 'string' ? listOf(among) : among.map(String);
  const values = texts.map((text) => readValue(setting, text));
  if (values.length === 0) throw new UsageError(`${name}: expected a value or more, found none.`);
  const twice = values.find((value, at) => values.indexOf(value) !== at);
  if (twice !== undefined) throw new UsageError(`${name}: ${twice} is given twice.`);
  return { setting, place, name, among: values };
}

/** `64;64,32` → 64 and 64,32; `0.1,0.01` → 0.1 and 0.01; a semicolon at the end makes one value of what has commas. */
function listOf(text: string): readonly string[] {
  const parts = text.split(text.includes(';') ? ';' : ',').map((part) => part.trim());
  return parts.at(-1) === '' && text.includes(';') ? parts.slice(0, -1) : parts;
}

/** The value of a share `at` of an axis, from 0 up to but not 1: an even draw makes an even choice. */
export function valueAtShare({ setting, among }: Pick<Axis, 'setting' | 'among'>, at: number): SettingValue {
  if (!('from' in among)) return among[Math.floor(at * among.length)] as SettingValue;
  const { from, to, isLog } = among;
  const isWhole = setting.type.kind === 'number' && setting.type.isWhole;
  const end = isWhole ? to + 1 : to;
  const exact = isLog ? from * (end / from) ** at : from + at * (end - from);
  // Six digits are read at a glance, and make no difference.
  const rounded = isWhole ? Math.floor(exact) : Number(exact.toPrecision(6));
  return Math.min(to, Math.max(from, rounded));
}

/** `learning-rate 0.1, hidden 64,32`: what sets a configuration apart. */
export function titleOf(
  values: Readonly<Record<string, SettingValue>>,
  axes: readonly Pick<Axis, 'place' | 'name'>[],
): string {
  const phrases = axes.flatMap(({ place, name }) => (place in values ? [`${name} ${values[place]}`] : []));
  return phrases.length === 0 ? 'no axis but the seed' : phrases.join(', ');
}

/** What is the same of trials that differ in their seed alone. */
export const rowKey = ({ values }: { readonly values: Readonly<Record<string, SettingValue>> }): string =>
  JSON.stringify(Object.entries(values).sort());

const NUMBER = String.raw`[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?`;
const RANGE = new RegExp(`^(log:)?(${NUMBER})\\.\\.(${NUMBER})$`);

function parseRange(setting: Setting, text: string): AxisRange | undefined {
  const { type } = setting;
  const match = type.kind === 'number' ? RANGE.exec(text.trim()) : null;
  if (match === null) return undefined;
  const [, log, first = '', last = ''] = match;
  const [from, to] = [readValue(setting, first), readValue(setting, last)] as [number, number];
  const name = nameOf(setting);
  if (from >= to) throw new UsageError(`${name}: expected a range from less to more, found ${text}.`);
  if (log !== undefined && from <= 0) {
    throw new UsageError(`${name}: expected a logarithmic range above 0, found ${text}.`);
  }
  return { from, to, isLog: log !== undefined };
}

function readValue(setting: Setting, text: string): SettingValue {
  const { type } = setting;
  const read = parseText(type, text);
  if (read !== undefined && checkedValue(type, read) !== undefined) return read;
  throw new UsageError(`${nameOf(setting)}: expected ${expectedOf(type)}, found "${text}".`);
}

/** The setting of a flag (`learning-rate`) or place (`training.learningRate`). @throws {UsageError} */
function settingNamed(given: string): Setting {
  const flag = given.replaceAll('_', '-').replace(/^--/, '');
  const known = SETTINGS.filter((setting) => setting.flag !== false);
  const found = known.find((setting) => setting.place === given || nameOf(setting) === flag);
  if (found === undefined) {
    const meant =
      nearest(flag, known.map(nameOf), 3) ??
      nearest(
        given,
        known.map(({ place }) => place),
        3,
      );
    throw new UsageError(
      `There is no setting ${given}.${meant === undefined ? '' : ` Did you mean ${meant}?`}`,
    );
  }
  if (found.affects !== 'nothing') return found;
  throw new UsageError(`${nameOf(found)} cannot be an axis: no result depends on it.`);
}

const nameOf = (setting: Setting): string => flagOf(setting)?.replace(/^--/, '') ?? setting.place;
