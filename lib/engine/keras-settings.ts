/** The settings of a Keras layer: each is read, known to be without effect, or refused by name with its value. */
import { z } from 'zod';
import { ModelError } from './parameters.js';

/** A setting under any of its names, what it has to be, and what it is where the file does not say. */
interface Wanted<T> {
  readonly keys: readonly string[];
  readonly expected: string;
  readonly fallback?: T | undefined;
}

/** Neither predictions nor training depend on these: names, shapes that are read elsewhere, where weights once began. */
const WITHOUT_EFFECT =
  /^(name|init|.*_initializer|batch_input_shape|batch_shape|input_(dim|shape|length|dtype)|seed|fused|synchronized|renorm_.*|autocast)$/;

/** What makes no difference to a prediction, however it is set. Training does not respect it: see `findObstacles`. */
const FOR_TRAINING_ONLY = /^(trainable|.*_(regularizer|constraint)|noise_shape|virtual_batch_size)$/;

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
export function isWithoutEffect(key: string, value: unknown): boolean {
  if (isOff(value) || WITHOUT_EFFECT.test(key) || FOR_TRAINING_ONLY.test(key)) return true;
  return key === 'dtype' && FLOATS.includes(typeName(value));
}

/** The settings of a layer, and of layers inside it, that change how it is trained, in words. */
export function findObstacles(where: string, config: Readonly<Record<string, unknown>>): readonly string[] {
  return Object.entries(config).flatMap(([key, value]) => {
    if (key !== 'trainable' && FOR_TRAINING_ONLY.test(key)) {
      return isOff(value) ? [] : [`${where} has a setting ${key} ${quote(value)}`];
    }
    return [value].flat().flatMap((each) => {
      const inner = kerasObjectSchema.safeParse(each);
      if (!inner.success || WITHOUT_EFFECT.test(key)) return [];
      return findObstacles(`${where}, ${key} ${inner.data.class_name}`, inner.data.config);
    });
  });
}

/** A value as a message shows it: JSON, an object of Keras as its class, nothing as none. */
export function quote(value: unknown): string {
  if (value === undefined || value === null) return 'none';
  const object = kerasObjectSchema.safeParse(value);
  const text = object.success
    ? `${object.data.class_name} ${JSON.stringify(object.data.config)}`
    : JSON.stringify(value);
  return text.length > MAX_QUOTED ? `${text.slice(0, MAX_QUOTED)}…` : text;
}

/** An object of Keras in its JSON: a layer, an activation, a regularizer. */
export const kerasObjectSchema = z.object({
  class_name: z.string(),
  config: z.record(z.string(), z.unknown()),
});

/** Keras' way to say that a layer does not have something. */
function isOff(value: unknown): boolean {
  return value === undefined || value === null || value === false;
}

/** Keras writes a type by its name, or as a policy that has it. */
function typeName(value: unknown): unknown {
  const policy = kerasObjectSchema.safeParse(value);
  return policy.success && /^(DType)?Policy$/.test(policy.data.class_name) ? policy.data.config.name : value;
}

/** Reads the settings of one layer or optimizer under any of their names, and keeps account of which it has read. */
export class KerasSettings {
  /** Whose settings they are, as errors call it. */
  readonly where: string;
  readonly #raw: Readonly<Record<string, unknown>>;
  readonly #read = new Set<string>();

  constructor(where: string, raw: Readonly<Record<string, unknown>>) {
    this.where = where;
    this.#raw = raw;
  }

  has(key: string): boolean {
    return this.#raw[key] !== undefined;
  }

  /** Settings that make no difference here. */
  ignore(...keys: readonly string[]): void {
    for (const key of keys) this.#read.add(key);
  }

  /** A setting that `schema` takes. @throws {ModelError} naming layer, setting and what stands there instead */
  read<T>(schema: z.ZodType<T>, { keys, expected, fallback }: Wanted<T>): T {
    const key = keys.find((each) => this.has(each)) ?? keys[0] ?? '';
    const value = this.#raw[key];
    this.#read.add(key);
    if ((value === undefined || value === null) && fallback !== undefined) return fallback;
    const parsed = schema.safeParse(value);
    if (parsed.success) return parsed.data;
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
  requireAllRead(): void {
    for (const [key, value] of Object.entries(this.#raw)) {
      if (this.#read.has(key) || isWithoutEffect(key, value)) continue;
      throw new ModelError(`${this.where}: ${key} ${quote(value)} is not supported`);
    }
  }
}
