/** What the declaration of a setting says, and how declarations become settings with places, flags and values. */
import type { SettingValue, ValueOf, ValueType } from './value-type.js';

/** The groups of settings, in the order in which help shows them. */
export const GROUPS = [
  'Data and partition',
  'Model and local training',
  'Rounds and participation',
  'Strategy',
  'Differential privacy',
  'Failure tolerance',
  'Watching',
  'Machine',
  'Volume and result',
] as const;

/** The title under which help and documents show a setting. */
export type SettingGroup = (typeof GROUPS)[number];

/** The programs that take settings beside `run` itself, which takes all of them. */
export type SettingsStage =
  | 'split'
  | 'init'
  | 'train'
  | 'aggregate'
  | 'evaluate'
  | 'simulate'
  | 'serve'
  | 'doctor'
  | 'record';

/** Values of another setting, and the default that a setting has with each; it belongs to those values alone. */
export interface DefaultsBy {
  readonly place: string;
  readonly defaults: Readonly<Record<string, SettingValue | undefined>>;
  /** Those of the values beside which it is recorded and means nothing. */
  readonly idle?: readonly string[];
}

/** One setting, as it is declared. */
export interface Declaration<V extends ValueType = ValueType> {
  readonly type: V;
  /** One sentence. */
  readonly help: string;
  /** The sentence for a stage to which the setting means something else. */
  readonly helpIn?: Readonly<Partial<Record<SettingsStage, string>>>;
  /** What each word of a choice means. */
  readonly meanings?: Readonly<Record<string, string>>;
  /** Stands for the value in help, e.g. `E`. */
  readonly symbol?: string;
  readonly unit?: string;
  /** It names a file, or a directory, of the user's. */
  readonly isFile?: boolean;
  readonly group: SettingGroup;
  /** Its place among the settings that most people use, which `run` shows before the groups. */
  readonly rank?: number;
  readonly stages: readonly SettingsStage[];
  /** Without dashes, where it does not follow from the place; false where no flag gives it. */
  readonly flag?: string | false;
  /** The flag of a stage that knows the setting by another name. */
  readonly flagIn?: Readonly<Partial<Record<SettingsStage, string>>>;
  /** The variable of the environment that gives it where no flag does; an empty one, as in a template, gives nothing. */
  readonly variable?: string;
  readonly default?: ValueOf<V>;
  readonly defaultsBy?: DefaultsBy;
  /** What holds without it, in words, where there is no default. */
  readonly otherwise?: string;
  /** The setting that it replaces: only one of the two may be given. */
  readonly insteadOf?: string;
  /** The setting without which it means nothing. */
  readonly onlyWith?: string;
  /** What depends on it: the results, when the rounds end, or neither. */
  readonly affects: 'results' | 'end' | 'nothing';
  /** In run.json: always, where it has a value, where that is not the default, or never. */
  readonly recorded: 'always' | 'if-known' | 'if-changed' | 'never';
  /** What its absence means in records of versions that did not write it. */
  readonly older?: ValueOf<V>;
  /** The placeholder of the Kubernetes manifests that stands for it. */
  readonly placeholder?: string;
  /** Its name in reports, where the place does not say it well. */
  readonly reportName?: string;
}

/** A setting of the table. */
export interface Setting extends Omit<Declaration, 'default' | 'older'> {
  /** Where it stands in the settings of run.json, e.g. `training.epochs`. */
  readonly place: string;
  readonly default?: SettingValue;
  readonly older?: SettingValue;
}

/** Declarations by the last name of their places. */
export type Declarations = Readonly<Record<string, Declaration>>;

/** Settings of one part of run.json; `shape` is there for the type alone, which is that of the part. */
export interface SettingsPart<S = unknown> {
  readonly settings: readonly Setting[];
  readonly shape?: S;
}

/** The values of declarations, as run.json holds them. */
export type ValuesOfDeclarations<D extends Declarations> = {
  readonly [K in keyof D as D[K]['recorded'] extends 'always' ? K : never]: ValueOf<D[K]['type']>;
} & {
  readonly [K in keyof D as D[K]['recorded'] extends 'if-known' | 'if-changed' ? K : never]?:
    | ValueOf<D[K]['type']>
    | undefined;
};

/** Settings that lie at the top of run.json. */
export function topPart<const D extends Declarations>(
  declarations: D,
): SettingsPart<ValuesOfDeclarations<D>> {
  return { settings: placed('', declarations) };
}

/** Settings that lie under a name of run.json. */
export function part<const N extends string, const D extends Declarations>(
  name: N,
  declarations: D,
): SettingsPart<{ readonly [K in N]: ValuesOfDeclarations<D> }> {
  return { settings: placed(`${name}.`, declarations) };
}

/** Gives declarations their places; `prefix` ends in a dot. */
export function placed(prefix: string, declarations: Declarations): readonly Setting[] {
  return Object.entries(declarations).map(([name, declared]) => ({ ...declared, place: prefix + name }));
}

/** The setting of a part at a place. */
export function settingOf({ settings }: SettingsPart, place: string): Setting {
  const found = settings.find((each) => each.place === place);
  if (found === undefined) throw new Error(`${place} is no setting`);
  return found;
}

/** The flag that gives a setting: `training.localSteps` → `--local-steps`, `model.name` → `--model`. */
export function flagOf({ place, flag, flagIn }: Setting, stage?: SettingsStage): string | undefined {
  const own = stage === undefined ? undefined : flagIn?.[stage];
  if (flag === false) return undefined;
  const names = place.split('.');
  const last = names.at(-1) === 'name' ? names.at(-2) : names.at(-1);
  return `--${own ?? flag ?? kebab(last ?? place)}`;
}

/** What messages call the setting at a place; which word that is, whoever asks decides. */
export type Naming = (place: string) => string;

/** Places as they are: for callers of the library and for files. */
export const byPlace: Naming = (place) => place;

/** Settings by the flags of a command that takes these parts, for messages. */
export function byFlag({
  parts,
  stage,
}: {
  readonly parts: readonly SettingsPart[];
  readonly stage?: SettingsStage | undefined;
}): Naming {
  const settings = parts.flatMap((each) => each.settings);
  return (place) => {
    const setting = settings.find((each) => each.place === place);
    if (setting === undefined) return place;
    return flagOf(setting, stage) ?? setting.reportName ?? place;
  };
}

/** The value at a place of nested settings; undefined where there is none. */
export function valueAt(settings: object, place: string): SettingValue | undefined {
  const found = place
    .split('.')
    .reduce<unknown>(
      (within, name) =>
        typeof within === 'object' && within !== null && Object.hasOwn(within, name)
          ? (within as Readonly<Record<string, unknown>>)[name]
          : undefined,
      settings,
    );
  return typeof found === 'object' ? undefined : (found as SettingValue | undefined);
}

/** `localSteps` → `local-steps`. */
export const kebab = (name: string) => name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
