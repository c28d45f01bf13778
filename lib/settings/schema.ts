/** The table of settings as zod schemas: how run.json holds them, for reading records and for describing them. */
import { z } from 'zod';
import type { Setting } from './setting.js';
import { checkedValue, expectedOf, listedNames, type ValueType } from './value-type.js';

/** The schema of a value. */
function valueSchema(type: ValueType): z.ZodType {
  switch (type.kind) {
    case 'choice':
      return z.enum(type.choices);
    case 'switch':
      return z.boolean();
    case 'text':
      return type.read === undefined
        ? z.string()
        : z.string().refine((value) => checkedValue(type, value) !== undefined, `expected ${type.expected}`);
    case 'number': {
      const { min, max, above, below, words } = type;
      let schema: z.ZodNumber = type.isWhole ? z.int() : z.number();
      if (min !== undefined) schema = schema.min(min);
      if (max !== undefined) schema = schema.max(max);
      if (above !== undefined) schema = schema.gt(above);
      if (below !== undefined) schema = schema.lt(below);
      if (words === undefined || words.length === 0) return schema;
      return z.union([schema, z.enum(words as string[])], `expected ${expectedOf(type)}`);
    }
  }
}

/** Members of an object beside those of the table. */
type Members = Readonly<Record<string, z.ZodType>>;

/** One object for each value of the setting at `place`, with the settings that belong to it, then `more`. */
export function schemaOfVariants(settings: readonly Setting[], place: string, more: Members = {}): z.ZodType {
  const selector = settings.find((each) => each.place === place);
  if (selector?.type.kind !== 'choice') throw new Error(`${place} is no choice`);
  const prefix = place.replace(/[^.]*$/, '');
  const name = place.slice(prefix.length);
  const objects = selector.type.choices.map((value) => {
    const own = settings.filter(
      ({ defaultsBy }) => defaultsBy === undefined || Object.hasOwn(defaultsBy.defaults, value),
    );
    const shape = membersOf(own, prefix);
    return z.strictObject({ ...shape, [name]: z.literal(value), ...more });
  });
  return z.discriminatedUnion(name, objects as unknown as [z.ZodObject, ...z.ZodObject[]]);
}

/** The settings as one object; `groups` are the schemas of groups that follow rules of their own, by place. */
export function schemaOfSettings(settings: readonly Setting[], groups: Members): z.ZodObject {
  return z.strictObject(membersOf(settings, '', groups));
}

/** The members of the object at `prefix`, which ends in a dot. */
function membersOf(settings: readonly Setting[], prefix: string, groups: Members = {}): Members {
  const members = new Map<string, z.ZodType>();
  for (const setting of settings) {
    const [name = '', ...deeper] = setting.place.slice(prefix.length).split('.');
    if (members.has(name) || setting.recorded === 'never') continue;
    const place = prefix + name;
    const schema = deeper.length === 0 ? recordedSchema(setting) : groups[place];
    members.set(name, schema ?? groupSchema(settings, `${place}.`, groups));
  }
  return Object.fromEntries(members);
}

function groupSchema(all: readonly Setting[], prefix: string, groups: Members): z.ZodType {
  const settings = all.filter(({ place }) => place.startsWith(prefix));
  // Settings that mean nothing without another one are there with it: all that have a value then.
  if (settings.some(({ onlyWith }) => onlyWith !== undefined)) {
    const whole = settings.map((each) => ({ ...each, recorded: alwaysOrNever(each) }));
    return z.strictObject(membersOf(whole, prefix)).optional();
  }
  const members = membersOf(settings, prefix, groups);
  const group = z.strictObject(members);
  // All of it is newer than the oldest records.
  const isNew = Object.values(members).every((each) => each.safeParse(undefined).success);
  return isNew ? group.prefault({}) : group;
}

const alwaysOrNever = ({ recorded, otherwise }: Setting): Setting['recorded'] =>
  recorded === 'never' || otherwise !== undefined ? recorded : 'always';

function recordedSchema({ type, recorded, older, defaultsBy, otherwise, help }: Setting): z.ZodType {
  const schema = valueSchema(type).describe(help + listedNames(type));
  if (older !== undefined) return schema.default(older);
  // A parameter that its scheme or strategy has a value for is recorded with it.
  const isKnown = defaultsBy !== undefined && otherwise === undefined;
  return recorded === 'always' || isKnown ? schema : schema.optional();
}
