/** The settings of an object in Keras' JSON: each is read, known to be without effect, or refused by name with its value. */
import { ModelError } from '../../core/errors.js';

/** An object of Keras in its JSON: a layer, an activation, a regularizer. */
export interface KerasObject {
  readonly class_name: string;
  readonly config: Readonly<Record<string, unknown>>;
  /** Where Keras 3 found the class. */
  readonly module?: string | null | undefined;
  /** The name of a class that is not Keras' own. */
  readonly registered_name?: string | null | undefined;
}

/** A setting under any of its names, what it has to be, and what it is where the file does not say. */
export interface Wanted<T> {
  /** Newest first. */
  readonly keys: readonly string[];
  /** In words. */
  readonly expected: string;
  readonly fallback?: T | undefined;
  /** The setting, or undefined where this is not a value of it. */
  parse(value: unknown): T | undefined;
}

/** Settings of a class that its reading does not need. */
export interface UnreadSettings {
  /** Without effect on predictions and on training. */
  readonly withoutEffect?: readonly string[];
  /** Without effect on predictions; training here does not respect them: see `findObstacles`. */
  readonly forTrainingOnly?: readonly string[];
}

/** Of every class: names, shapes that are read elsewhere, where weights once began. */
const WITHOUT_EFFECT =
  /^(name|init|.*_initializer|batch_input_shape|batch_shape|input_(dim|shape|length|dtype)|seed|autocast)$/;

/** Of every class: what makes no difference to a prediction, however it is set. */
const FOR_TRAINING_ONLY = /^(trainable|.*_(regularizer|constraint))$/;

/** Types of number that float32 can stand in for; others, such as int8, mean another computation. */
const FLOATS: readonly unknown[] = [
  'float32',
  'float64',
  'float16',
  'bfloat16',
  'mixed_float16',
  'mixed_bfloat16',
];

/** Longest value that a message quotes. */
const MAX_QUOTED = 120;

/** Whether no engine needs to know this setting to predict as Keras does. */
export function isWithoutEffect(key: string, value: unknown, unread: UnreadSettings = {}): boolean {
  if (isOff(value) || WITHOUT_EFFECT.test(key) || unread.withoutEffect?.includes(key)) return true;
  if (isForTrainingOnly(key, unread)) return true;
  return key === 'dtype' && FLOATS.includes(typeName(value));
}

/** The settings of a layer, and of layers inside it, that change how it is trained, in words. */
export function findObstacles(
  where: string,
  { class_name: className, config }: KerasObject,
  unreadOf: (className: string) => UnreadSettings,
): readonly string[] {
  const unread = unreadOf(className);
  return Object.entries(config).flatMap(([key, value]) => {
    if (key !== 'trainable' && isForTrainingOnly(key, unread)) {
      return isOff(value) ? [] : [`${where} has a setting ${key} ${quote(value)}`];
    }
    return [value].flat().flatMap((each) => {
      const inner = asKerasObject(each);
      if (inner === undefined || WITHOUT_EFFECT.test(key)) return [];
      return findObstacles(`${where}, ${key} ${inner.class_name}`, inner, unreadOf);
    });
  });
}

function isForTrainingOnly(key: string, { forTrainingOnly }: UnreadSettings): boolean {
  return FOR_TRAINING_ONLY.test(key) || forTrainingOnly?.includes(key) === true;
}

/** A value as a message shows it: JSON, an object of Keras as its class, nothing as none. */
export function quote(value: unknown): string {
  if (value === undefined || value === null) return 'none';
  const object = asKerasObject(value);
  const text =
    object === undefined ? JSON.stringify(value) : `${object.class_name} ${JSON.stringify(object.config)}`;
  return text.length > MAX_QUOTED ? `${text.slice(0, MAX_QUOTED)}…` : text;
}

/** A number as it was typed: Keras keeps 0.001 in float32, as 0.0010000000474974513. */
export function asTyped(value: number): number {
  return Math.fround(value) === value ? Number(value.toPrecision(7)) : value;
}

/** The object of Keras that a value is, if it is one. */
export function asKerasObject(value: unknown): KerasObject | undefined {
  if (!isRecord(value) || typeof value.class_name !== 'string' || !isRecord(value.config)) return undefined;
  return value as unknown as KerasObject;
}

/** Makes sure that a class is Keras' own, and not another one of that name. @throws {ModelError} */
export function requireKerasClass(object: KerasObject, where: string): void {
  const { class_name: className, module, registered_name: registered } = object;
  const isOwn =
    (registered ?? className) === className && /^(tf_)?keras\b|^tensorflow\./.test(module ?? 'keras');
  if (!isOwn) throw new ModelError(`${where} is a class of its own, ${registered ?? module}`);
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Keras' way to say that a layer does not have something. */
function isOff(value: unknown): boolean {
  return value === undefined || value === null || value === false;
}

/** Keras writes a type by its name, or as a policy that has it. */
function typeName(value: unknown): unknown {
  const policy = asKerasObject(value);
  return policy !== undefined && /^(DType)?Policy$/.test(policy.class_name) ? policy.config.name : value;
}

/** A type of number in a `model_config` that is not float32, in which everything here is computed; undefined where there is none. */
export function otherPrecision(modelConfig: unknown): string | undefined {
  let found: string | undefined;
  JSON.stringify(modelConfig, (key, value: unknown) => {
    const type = key === 'dtype' ? typeName(value) : undefined;
    if (typeof type === 'string' && type !== 'float32' && FLOATS.includes(type)) found ??= type;
    return value;
  });
  return found;
}

/** Reads the settings of one layer or optimizer under any of their names, and keeps account of which it has read. */
export class KerasSettings {
  /** Whose settings they are, as errors call it. */
  readonly where: string;
  /** Of the writer: some names of Keras mean something else since version 3. */
  readonly kerasVersion: string;
  readonly #raw: Readonly<Record<string, unknown>>;
  readonly #read = new Set<string>();

  constructor(
    where: string,
    raw: Readonly<Record<string, unknown>>,
    { kerasVersion = '' }: { readonly kerasVersion?: string } = {},
  ) {
    this.where = where;
    this.kerasVersion = kerasVersion;
    this.#raw = raw;
  }

  has(key: string): boolean {
    return this.#raw[key] !== undefined;
  }

  /** Whether a setting is left out, or says that the layer does not have it; it counts as read. */
  isOff(key: string): boolean {
    this.#read.add(key);
    return isOff(this.#raw[key]);
  }

  /** Settings that make no difference here. */
  ignore(...keys: readonly string[]): void {
    for (const key of keys) this.#read.add(key);
  }

  /** A setting as it is wanted. @throws {ModelError} naming layer, setting and what stands there instead */
  read<T>({ keys, expected, fallback, parse }: Wanted<T>): T {
    const key = keys.find((each) => this.has(each)) ?? keys[0] ?? '';
    const value = this.#raw[key];
    this.#read.add(key);
    if ((value === undefined || value === null) && fallback !== undefined) return fallback;
    const parsed = parse(value);
    if (parsed !== undefined) return parsed;
    throw new ModelError(`${this.where}: expected ${key} to be ${expected}, found ${quote(value)}`);
  }

  /** A setting that we know with some of its values only. */
  only(key: string, ...allowed: readonly unknown[]): void {
    const value = this.#raw[key];
    this.#read.add(key);
    if (value === undefined || [value].flat().every((each) => allowed.includes(each))) return;
    const known = allowed.filter((each) => each !== null).map(quote);
    throw new ModelError(
      `${this.where}: ${key} ${quote(value)} is not supported, only ${known.join(' or ') || 'none'}`,
    );
  }

  /** Call it last: what has not been read then is not known. @throws {ModelError} naming it with its value */
  requireAllRead(unread?: UnreadSettings): void {
    for (const [key, value] of Object.entries(this.#raw)) {
      if (this.#read.has(key) || isWithoutEffect(key, value, unread)) continue;
      throw new ModelError(`${this.where}: ${key} ${quote(value)} is not supported`);
    }
  }
}
