/** What values a setting takes: one description, from which texts are read, messages made and schemas derived. */
import { own } from '../core/own.js';

/** NumberRange of a number: `min` and `max` belong to the range, `above` and `below` do not. */
export interface NumberRange {
  readonly min?: number;
  readonly max?: number;
  readonly above?: number;
  readonly below?: number;
}

/** Words that are taken beside a number or a text, e.g. `all`. */
interface Worded<W extends string> {
  readonly words?: readonly W[];
}

/** A number, which may have to be whole. */
export interface NumberType<W extends string = string> extends NumberRange, Worded<W> {
  readonly kind: 'number';
  readonly isWhole: boolean;
}

/** One of several words. */
export interface ChoiceType<C extends string = string> {
  readonly kind: 'choice';
  readonly choices: readonly C[];
}

/** On or off; its flag takes no value. */
export interface SwitchType {
  readonly kind: 'switch';
}

/** A text; with `read` only what that understands, as it writes it. */
export interface TextType {
  readonly kind: 'text';
  readonly expected: string;
  readonly read?: (text: string) => string | undefined;
  /** Words that it may begin with, which help lists. */
  readonly names?: readonly string[];
}

/** The values of a setting. */
export type ValueType = NumberType | ChoiceType | SwitchType | TextType;

/** A value of such a type. */
export type ValueOf<V extends ValueType> =
  V extends NumberType<infer W>
    ? number | (string extends W ? never : W)
    : V extends ChoiceType<infer C>
      ? C
      : V extends SwitchType
        ? boolean
        : string;

/** A value of any setting. */
export type SettingValue = string | number | boolean;

/** Whole numbers; from 0, unless bounds say otherwise. */
export function whole<const W extends string = never>(bounds: NumberRange & Worded<W> = {}): NumberType<W> {
  return { kind: 'number', isWhole: true, min: 0, ...bounds };
}

/** Finite numbers. */
export function number<const W extends string = never>(bounds: NumberRange & Worded<W> = {}): NumberType<W> {
  return { kind: 'number', isWhole: false, ...bounds };
}

/** One of these words. */
export function choice<const C extends string>(choices: readonly C[]): ChoiceType<C> {
  return { kind: 'choice', choices };
}

/** Off unless it is asked for. */
export const onOff: SwitchType = { kind: 'switch' };

/** A text, e.g. a path; `expected` says what one looks like. */
export function text(
  expected: string,
  read?: TextType['read'],
  others: Pick<TextType, 'names'> = {},
): TextType {
  return { kind: 'text', expected, ...(read === undefined ? {} : { read }), ...others };
}

/** Behind a sentence of help: the names that a text may begin with. */
export const listedNames = (type: ValueType): string =>
  type.kind === 'text' && type.names !== undefined ? `: ${type.names.join(', ')}` : '';

/** For messages: "Expected …". */
export function expectedOf(type: ValueType): string {
  if (type.kind === 'choice') return `one of ${type.choices.join(', ')}`;
  if (type.kind === 'switch') return 'true or false';
  if (type.kind === 'text') return type.expected;
  const words = (type.words ?? []).map((word) => `, or ${word}`);
  return `a ${type.isWhole ? 'whole ' : ''}number${rangeOf(type)}${words.join('')}`;
}

/** The value that a text of the command line stands for; undefined where it stands for none. */
export function parseText(type: ValueType, text: string): SettingValue | undefined {
  if (type.kind === 'number') {
    if (type.words?.includes(text)) return text;
    const isNumber = type.isWhole ? /^[+-]?\d+$/.test(text.trim()) : text.trim() !== '';
    return isNumber ? checkedValue(type, Number(text)) : undefined;
  }
  if (type.kind === 'switch') return own({ true: true, false: false }, text);
  return checkedValue(type, text);
}

/** The value that stands in a document (JSON or YAML), as settings hold it; undefined where it is none. */
export function checkedValue(type: ValueType, value: unknown): SettingValue | undefined {
  switch (type.kind) {
    case 'number':
      if (typeof value === 'string') return type.words?.includes(value) ? value : undefined;
      return typeof value === 'number' && isWithin(type, value) ? value : undefined;
    case 'choice':
      return typeof value === 'string' && type.choices.includes(value) ? value : undefined;
    case 'switch':
      return typeof value === 'boolean' ? value : undefined;
    case 'text': {
      // A text of digits is a number in a document.
      const written = typeof value === 'number' ? `${value}` : value;
      if (typeof written !== 'string') return undefined;
      return type.read === undefined ? written : type.read(written);
    }
  }
}

function isWithin(type: NumberType, value: number): boolean {
  const { isWhole, above = -Infinity, below = Infinity } = type;
  const { min = -Infinity, max = isWhole ? Number.MAX_SAFE_INTEGER : Infinity } = type;
  if (!Number.isFinite(value) || (isWhole && !Number.isInteger(value))) return false;
  return value >= min && value <= max && value > above && value < below;
}

/** ` of at least 1`, ` from 0 to 1`, ` above 0, up to 1`; empty where there are no bounds. */
function rangeOf({ min, max, above, below }: NumberRange): string {
  if (above !== undefined) {
    const end = max === undefined ? '' : `, up to ${max}`;
    return ` above ${above}${below === undefined ? end : ` and below ${below}`}`;
  }
  const end = below === undefined ? '' : ` and below ${below}`;
  if (min !== undefined) return max === undefined ? ` of at least ${min}${end}` : ` from ${min} to ${max}`;
  return max === undefined ? end.replace(' and', '') : ` up to ${max}`;
}

/** Labels of a run; what is not given is left as it was. */
export interface RunLabels {
  readonly name?: string | undefined;
  readonly tags?: readonly string[] | undefined;
}

/** The name of a run. */
export const RUN_NAME_TYPE = text('a name of one line, up to 80 characters', (given) =>
  /^[^\p{Cc}\p{Cf}\p{Zl}\p{Zp}]{1,80}$/u.test(given.trim()) ? given.trim() : undefined,
);

/** A tag of runs. */
export const RUN_TAG_TYPE = text(
  'a word such as baseline or lr=0.1: letters, digits and . _ : / = - up to 40 characters',
  (given) => (/^[\p{L}\p{N}._:/=-]{1,40}$/u.test(given) ? given : undefined),
);

/** The labels that are given, as run.json holds them. */
export function givenLabels({ name, tags = [] }: RunLabels): { name?: string; tags?: string[] } {
  return {
    ...(name === undefined ? {} : { name }),
    ...(tags.length === 0 ? {} : { tags: [...new Set(tags)] }),
  };
}
