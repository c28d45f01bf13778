/** From what is given of settings to settings that are whole: defaults filled in, contradictions refused. */
import { UsageError } from '../core/errors.js';
import { own } from '../core/own.js';
import type { Naming, Setting, SettingsPart } from './setting.js';
import type { SettingValue } from './value-type.js';

/** What is given of settings: their values by place. */
export type GivenSettings = Readonly<Record<string, SettingValue | undefined>>;

/** What is given, and what messages call it. */
export interface AskedSettings {
  readonly given: GivenSettings;
  readonly named: Naming;
}

/** The places of what is given, and what messages call each. */
export const askedSettings = ({ given, named }: AskedSettings): readonly (readonly [string, string])[] =>
  Object.keys(given).flatMap((place) => (given[place] === undefined ? [] : [[place, named(place)] as const]));

/** What several parts come to together. */
export type SettingsOfParts<P extends readonly SettingsPart[]> = Joined<
  P[number] extends infer E ? (E extends SettingsPart<infer S> ? (settings: S) => void : never) : never
>;

type Joined<F> = [F] extends [(settings: infer All) => void] ? All : never;

/**
 * The settings of some parts, in the order of run.json.
 *
 * @throws {UsageError} for a setting that does not belong to the others, or contradicts another one
 */
export function completeSettings<const P extends readonly SettingsPart[]>(
  parts: P,
  { given, named }: AskedSettings,
): SettingsOfParts<P> {
  const settings = parts.flatMap((part) => part.settings);
  const value = valuesWithDefaults(settings, given);
  refuseContradictions(settings, { given, named });
  refuseForeign(settings, { given, named }, value);
  const whole: Record<string, unknown> = {};
  for (const setting of settings) {
    const { place, recorded } = setting;
    const found = value(place);
    if (recorded === 'never' || found === undefined) continue;
    if (recorded === 'if-changed' && found === setting.default) continue;
    put(whole, place.split('.'), found);
  }
  return whole as SettingsOfParts<P>;
}

/** Reads the value at a place: what is given, else the default that holds beside the other values. */
export function valuesWithDefaults(settings: readonly Setting[], given: GivenSettings) {
  const at = new Map(settings.map((setting) => [setting.place, setting]));
  const isReplaced = (place: string) =>
    settings.some(({ insteadOf, place: other }) => insteadOf === place && given[other] !== undefined);
  return function value(place: string): SettingValue | undefined {
    const setting = at.get(place);
    if (given[place] !== undefined || setting === undefined) return given[place];
    const { default: fixed, defaultsBy, onlyWith } = setting;
    if (isReplaced(place) || (onlyWith !== undefined && value(onlyWith) === undefined)) return undefined;
    return defaultsBy === undefined ? fixed : own(defaultsBy.defaults, `${value(defaultsBy.place)}`);
  };
}

function refuseContradictions(settings: readonly Setting[], { given, named }: AskedSettings): void {
  for (const setting of settings) {
    const { place } = setting;
    const rival =
      given[place] === undefined
        ? undefined
        : rivalsOf(setting, settings).find((each) => given[each] !== undefined);
    if (rival === undefined) continue;
    throw new UsageError(
      `${named(rival)} ${given[rival]} and ${named(place)} ${given[place]} contradict each other: give one of them.`,
    );
  }
}

/** The places of settings of which only one may be given: what a setting replaces, and what else replaces that. */
export function rivalsOf({ place, insteadOf }: Setting, settings: readonly Setting[]): readonly string[] {
  if (insteadOf === undefined) return [];
  const others = settings.filter((each) => each.insteadOf === insteadOf && each.place !== place);
  return [insteadOf, ...others.map((each) => each.place)];
}

/** Refuses a parameter of another scheme or strategy, or without its companion, and misses one that has no default. */
function refuseForeign(
  settings: readonly Setting[],
  { given, named }: AskedSettings,
  value: (place: string) => SettingValue | undefined,
): void {
  for (const { place, defaultsBy, onlyWith, otherwise, help } of settings) {
    if (given[place] !== undefined && onlyWith !== undefined && value(onlyWith) === undefined) {
      throw new UsageError(`${named(place)} ${given[place]} goes with ${named(onlyWith)} alone.`);
    }
    if (defaultsBy === undefined) continue;
    const chosen = `${value(defaultsBy.place)}`;
    const owners = Object.keys(defaultsBy.defaults);
    if (given[place] !== undefined && !owners.includes(chosen)) {
      throw new UsageError(
        `${named(place)} ${given[place]} belongs to ${named(defaultsBy.place)} ${owners.join(' or ')}, not to ${chosen}.`,
      );
    }
    if (owners.includes(chosen) && value(place) === undefined && otherwise === undefined) {
      throw new UsageError(
        `${named(defaultsBy.place)} ${chosen} needs ${named(place)}, the ${help.replace(/^.*: /, '')}.`,
      );
    }
  }
}

function put(whole: Record<string, unknown>, [name = '', ...rest]: readonly string[], found: unknown): void {
  if (rest.length === 0) whole[name] = found;
  else {
    whole[name] ??= {};
    put(whole[name] as Record<string, unknown>, rest, found);
  }
}
