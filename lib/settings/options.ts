/** The table of settings as options of command lines: flags, groups of help, and what was given by them. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import type { AskedSettings } from './complete.js';
import { byFlag, flagOf, GROUPS, type Setting, type SettingsPart, type SettingsStage } from './setting.js';
import { expectedOf, listedNames, parseText, type SettingValue, type ValueType } from './value-type.js';

/** Which settings a command takes, and what its help says otherwise than the table. */
export interface CommandSettings {
  readonly parts: readonly SettingsPart[];
  /** The stage that the command is; without one it takes every setting of the parts. */
  readonly stage?: SettingsStage;
  /** Sentences in the place of the table's, by place. */
  readonly help?: Readonly<Record<string, string>>;
  /** Places of settings without which the command does not run. */
  readonly required?: readonly string[];
  /** Whether help shows the settings under the titles of their groups. */
  readonly hasTitles?: boolean;
}

/** The title of what most people use. */
export const MOST_USED = 'Most used:';

/** Adds an option for each setting: a run's most used ones, then those of each group. */
export function addSettings(command: Command, options: CommandSettings): Command {
  const taken = takenBy(options);
  const isFirst = ({ rank }: Setting) => rank !== undefined && options.stage === undefined;
  const add = (settings: readonly Setting[], title: string) => {
    for (const setting of settings) {
      const option = optionOf(setting, options);
      command.addOption(options.hasTitles === false ? option : option.helpGroup(title));
    }
  };
  if (options.stage === undefined) {
    const config = new Option(
      '--config <file>',
      'settings from a file, YAML or JSON, as run.json holds them; flags win',
    );
    command.addOption(config.argParser(once).helpGroup(MOST_USED));
  }
  const first = taken.filter(isFirst).sort((a, b) => (a.rank ?? 0) - (b.rank ?? 0));
  add(first, MOST_USED);
  for (const group of GROUPS) {
    const own = taken.filter((each) => each.group === group && !isFirst(each));
    add(own, `${group}:`);
  }
  return command;
}

/** A value that may be given once: of two files, neither is left out silently. @throws {InvalidArgumentError} for a second one */
function once(text: string, before: string | undefined): string {
  if (before === undefined) return text;
  throw new InvalidArgumentError(`${before} is given too: put the settings of both into one file.`);
}

function optionOf(setting: Setting, { stage, help = {}, required = [] }: CommandSettings): Option {
  const option = settingOption(setting, { stage, help: help[setting.place] });
  return option.makeOptionMandatory(required.includes(setting.place));
}

/** What a command line asks for, in the words of its flags. */
export function askedByFlags(command: Command, options: CommandSettings): AskedSettings {
  const given = takenBy(options).flatMap((setting) => {
    const option = command.options.find(({ long }) => long === flagOf(setting, options.stage));
    const value: unknown = option === undefined ? undefined : command.getOptionValue(option.attributeName());
    // Commander makes an empty text of the nothing that an empty variable is.
    const isGiven = value !== undefined && !(setting.variable !== undefined && value === '');
    return isGiven ? [[setting.place, value as SettingValue] as const] : [];
  });
  return { given: Object.fromEntries(given), named: byFlag(options) };
}

/** The option that gives a setting; where it is not given, it has no value. */
export function settingOption(
  setting: Setting,
  { stage, help }: { readonly stage?: SettingsStage | undefined; readonly help?: string | undefined } = {},
): Option {
  const { type, symbol = 'value', meanings } = setting;
  const own = stage === undefined ? undefined : setting.helpIn?.[stage];
  const sentence = (help ?? own ?? setting.help) + listedNames(type);
  const explained = Object.entries(meanings ?? {}).map(([word, meaning]) => `\n${word}: ${meaning}`);
  const flag = flagOf(setting, stage) as string;
  const option = new Option(
    type.kind === 'switch' ? flag : `${flag} <${symbol}>`,
    sentence + explained.join(''),
  );
  const { variable } = setting;
  if (type.kind === 'choice') option.choices(type.choices);
  else if (type.kind !== 'switch')
    option.argParser((text) => (variable !== undefined && text === '' ? undefined : parseOption(type, text)));
  if (variable !== undefined) option.env(variable);
  // Left out of the values: whether an option was given makes a difference to the settings beside it.
  const byDefault = describeDefault(setting);
  if (byDefault !== undefined) option.defaultValueDescription = byDefault;
  return option;
}

/** The value of an option. @throws {InvalidArgumentError} for what the type does not take */
export function parseOption(type: ValueType, text: string): SettingValue {
  const value = parseText(type, text);
  if (value !== undefined) return value;
  throw new InvalidArgumentError(`Expected ${expectedOf(type)}, found "${text}".`);
}

/** The default in words, e.g. `2`, or `0.1 with fedadagrad; 0.01 with fedadam, fedyogi`. */
function describeDefault({ type, default: fixed, defaultsBy, otherwise }: Setting): string | undefined {
  if (otherwise !== undefined) return otherwise;
  if (defaultsBy === undefined) return type.kind === 'switch' || fixed === undefined ? undefined : `${fixed}`;
  const owners = new Map<SettingValue, string[]>();
  for (const [owner, value] of Object.entries(defaultsBy.defaults)) {
    if (value !== undefined) owners.set(value, [...(owners.get(value) ?? []), owner]);
  }
  const texts = [...owners].map(([value, names]) => `${value} with ${names.join(', ')}`);
  return texts.length === 0 ? undefined : texts.join('; ');
}

function takenBy({ parts, stage }: CommandSettings): readonly Setting[] {
  return parts
    .flatMap(({ settings }) => settings)
    .filter((setting) => setting.flag !== false && (stage === undefined || setting.stages.includes(stage)));
}
