/** How the settings of layers are declared: their names in Keras' JSON, what they may be, and how they are written. */
import type { Extent, Padding } from '../graph/window-geometry.js';
import type { KerasObject, KerasSettings, UnreadSettings, Wanted } from '../keras/keras-settings.js';
import { type LayerTraining, writeTraining } from './layer-training.js';

/** A setting that is a field of the layer. */
export interface LayerSetting<T> {
  /** Its names in Keras' JSON: that of Keras 2 and 3 first, then those of Keras 1. */
  readonly keys: readonly string[];
  /** What it may be, in words. */
  readonly expected: string;
  /** @throws {ModelError} naming layer, setting and what stands there instead */
  read(settings: KerasSettings): T;
  /** As it is written, where that is something else. */
  write?(value: T): unknown;
}

/** A setting of which layers here have some values only, and do not keep. */
export interface FixedSetting {
  readonly keys: readonly [string];
  /** Keras' default first; null for none. */
  readonly allowed: readonly unknown[];
  /** Whether the default is written into files. */
  readonly isWritten: boolean;
}

/** The settings of a class of Keras by the layer's fields, in the order in which they are written. */
type LayerSettings = Readonly<Record<string, LayerSetting<unknown> | FixedSetting>>;

/** A layer of a kind with these settings as its fields; `name` is unique in its model and names its weights. */
export type LayerWith<Kind extends string, Fields extends LayerSettings> = {
  readonly kind: Kind;
  readonly name: string;
  readonly training?: LayerTraining;
} & {
  readonly [Key in keyof Fields as IsField<Fields[Key], false> extends true ? Key : never]: ValueOf<
    Fields[Key]
  >;
} & {
  readonly [Key in keyof Fields as IsField<Fields[Key], true> extends true ? Key : never]?: Exclude<
    ValueOf<Fields[Key]>,
    undefined
  >;
};

/** Whether a setting is a field of the layer, and one that it may lack. */
type IsField<Setting, IsOptional extends boolean> =
  Setting extends LayerSetting<infer T>
    ? undefined extends T
      ? IsOptional
      : IsOptional extends true
        ? false
        : true
    : false;
type ValueOf<Setting> = Setting extends LayerSetting<infer T> ? T : never;

/** A class of Keras that is read as a layer. */
export interface KerasClass extends UnreadSettings {
  /** Its name in Keras 2 and 3, then its other ones. */
  readonly names: readonly [string, ...string[]];
  readonly settings: LayerSettings;
  /** Fields of the layer that the class itself settles; undefined for one that it never has. */
  readonly given?: Readonly<Record<string, unknown>>;
  /** Keras 3 refuses the setting `trainable` that its other classes take. */
  readonly takesNoTrainable?: true;
}

/** The layer's fields out of Keras' JSON. @throws {ModelError} for a setting that is not known, or is known otherwise */
export function readFields(
  { settings: declared, given, ...unread }: KerasClass,
  settings: KerasSettings,
): Readonly<Record<string, unknown>> {
  const fields: Record<string, unknown> = Object.fromEntries(
    Object.entries(given ?? {}).filter(([, value]) => value !== undefined),
  );
  for (const [field, setting] of Object.entries(declared)) {
    if ('allowed' in setting) settings.only(setting.keys[0], ...setting.allowed);
    else {
      const value = setting.read(settings);
      if (value !== undefined) fields[field] = value;
    }
  }
  settings.requireAllRead(unread);
  return fields;
}

/** A layer as it is written: as the first of its classes that has no other idea of a field. */
export function writtenLayer(
  layer: { readonly name: string; readonly training?: LayerTraining },
  classes: readonly KerasClass[],
): KerasObject {
  const fields: Readonly<Record<string, unknown>> = { ...layer };
  const kerasClass = classes.find(({ given = {} }) =>
    Object.entries(given).every(([field, value]) => fields[field] === value),
  );
  if (kerasClass === undefined) throw new Error(`no class of Keras for layer ${layer.name}`);
  const base = {
    name: layer.name,
    ...(kerasClass.takesNoTrainable ? {} : { trainable: true }),
    dtype: 'float32',
  };
  const config = { ...base, ...writeFields(kerasClass, layer), ...writeTraining(layer.training ?? {}) };
  return { class_name: kerasClass.names[0], config };
}

/** The layer's fields as Keras' JSON. */
function writeFields({ settings }: KerasClass, layer: object): Readonly<Record<string, unknown>> {
  const written = Object.entries(settings).flatMap(([field, setting]) => {
    if ('allowed' in setting) return setting.isWritten ? [[setting.keys[0], setting.allowed[0]]] : [];
    const value = (layer as Readonly<Record<string, unknown>>)[field];
    return value === undefined
      ? []
      : [[setting.keys[0], setting.write === undefined ? value : setting.write(value)]];
  });
  return Object.fromEntries(written);
}

/** A setting of a type of its own. Its fallback may be another setting: it then is as that one. */
export function setting<T>({
  fallback,
  ...wanted
}: Omit<Wanted<T>, 'fallback'> & { readonly fallback?: T | LayerSetting<T> }): LayerSetting<T> {
  const { keys, expected } = wanted;
  return {
    keys,
    expected,
    read: (settings) =>
      settings.read({ ...wanted, fallback: isSetting(fallback) ? fallback.read(settings) : fallback }),
  };
}

const isSetting = <T>(fallback: T | LayerSetting<T> | undefined): fallback is LayerSetting<T> =>
  typeof fallback === 'object' && fallback !== null && 'read' in fallback;

/** A setting that has to be one of these values, the first being Keras' default. */
export function fixed(key: string, ...allowed: readonly unknown[]): FixedSetting {
  return { keys: [key], allowed, isWritten: false };
}

/** A setting that a layer has, and that is written, only where it is not Keras' default. */
export function unlessDefault<T>(given: LayerSetting<T>, byDefault: T): LayerSetting<T | undefined> {
  return {
    ...given,
    read(settings) {
      const value = given.read(settings);
      return JSON.stringify(value) === JSON.stringify(byDefault) ? undefined : value;
    },
  };
}

/** A whole number of at least 1. */
export function size(...keys: readonly string[]): LayerSetting<number> {
  return setting({ keys, expected: 'a whole number of at least 1', parse: parseSize });
}

/** A whole number of at least 1; 1 where nothing is said. */
export const sizeOrOne = (key: string): LayerSetting<number> =>
  setting({ keys: [key], expected: 'a whole number of at least 1', fallback: 1, parse: parseSize });

/** True or false; true where a file does not say. */
export const flag = (...keys: readonly string[]): LayerSetting<boolean> => trueOrFalse(keys, true);

/** True or false; false where a file does not say. */
export const flagOff = (...keys: readonly string[]): LayerSetting<boolean> => trueOrFalse(keys, false);

const trueOrFalse = (keys: readonly string[], fallback: boolean): LayerSetting<boolean> =>
  setting({
    keys,
    expected: 'true or false',
    fallback,
    parse: (value) => (typeof value === 'boolean' ? value : undefined),
  });

/** A number within bounds. */
export function numberWithin({
  isIn,
  ...wanted
}: Omit<Wanted<number>, 'parse'> & { readonly isIn: (value: number) => boolean }): LayerSetting<number> {
  const { fallback, ...others } = wanted;
  return setting({ ...others, ...(fallback === undefined ? {} : { fallback }), parse: numberWhere(isIn) });
}

/** Parses a number that meets a condition. */
export const numberWhere =
  (isIn: (value: number) => boolean) =>
  (value: unknown): number | undefined =>
    typeof value === 'number' && Number.isFinite(value) && isIn(value) ? value : undefined;

/** Height and width; one number stands for both. */
export function extent(
  keys: readonly string[],
  fallback?: Extent | LayerSetting<Extent>,
): LayerSetting<Extent> {
  return setting({
    keys,
    expected: 'one or two whole numbers of at least 1',
    ...(fallback === undefined ? {} : { fallback }),
    parse: pairOf((each) => parseSize(each) !== undefined),
  });
}

/** Parses two numbers that meet a condition; one stands for both. */
export const pairOf =
  (isIn: (value: unknown) => boolean) =>
  (value: unknown): Extent | undefined => {
    const given: readonly unknown[] = Array.isArray(value) ? value : [value, value];
    return given.length === 2 && given.every(isIn) ? (given as unknown as Extent) : undefined;
  };

/** Pixels before and after, down and across. */
type Margins = readonly [rows: Extent, columns: Extent];

/** Pixels along each border; one number, or one of each direction, stands for the borders on both sides. */
export function margins(key: string, fallback?: Margins): LayerSetting<Margins> {
  return setting<Margins>({
    keys: [key],
    expected: 'one, two or two pairs of whole numbers of at least 0',
    ...(fallback === undefined ? {} : { fallback }),
    parse(value) {
      const given: readonly unknown[] = Array.isArray(value) ? value : [value, value];
      const [rows, columns, ...others] = given.map(pairOf(isNaturalNumber));
      return rows && columns && others.length === 0 ? [rows, columns] : undefined;
    },
  });
}

/** Whether a value is a whole number of at least 0. */
export const isNaturalNumber = (value: unknown): boolean =>
  Number.isSafeInteger(value) && (value as number) >= 0;

/** How the border is treated. */
export const padding: LayerSetting<Padding> = setting({
  keys: ['padding', 'border_mode'],
  expected: 'valid or same',
  fallback: 'valid',
  parse: (value) => (value === 'valid' || value === 'same' ? value : undefined),
});

/** Images come with their channels last. */
export const imageOrder = {
  dataFormat: { ...fixed('data_format', 'channels_last', null), isWritten: true },
  dimOrdering: fixed('dim_ordering', 'tf', 'default', null),
} as const satisfies LayerSettings;

/** A whole number of at least 1; undefined of anything else. */
export function parseSize(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isSafeInteger(value) && value > 0 ? value : undefined;
}
