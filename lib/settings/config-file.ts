/** `--config`: settings from a file (YAML or JSON) in the shape of run.json's settings; what flags give wins over it. */
import { readFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { UsageError } from '../core/errors.js';
import { type AskedSettings, type GivenSettings, rivalsOf } from './complete.js';
import { askedByFlags, type CommandSettings } from './options.js';
import { byFlag, type Setting } from './setting.js';
import { checkedValue, expectedOf } from './value-type.js';

/**
 * What a command line asks for, and the file that its `--config` names.
 *
 * @throws {UsageError} when the file is none, or holds what is no setting or no value of one
 */
export async function askedByFlagsAndFile(
  command: Command,
  options: CommandSettings,
): Promise<AskedSettings> {
  const byFlags = askedByFlags(command, options);
  const { config } = command.opts<{ readonly config?: string }>();
  if (config === undefined) return byFlags;
  const settings = options.parts.flatMap((part) => part.settings);
  const inFile = givenByDocument(await readYaml(config, '--config'), { settings, file: config });
  const flags = byFlag(options);
  const left = withoutReplaced(inFile, byFlags.given, settings);
  return {
    given: { ...left, ...byFlags.given },
    named: (place) =>
      byFlags.given[place] === undefined && left[place] !== undefined ? place : flags(place),
  };
}

/** The document of a file, YAML or JSON, that a flag names. @throws {UsageError} where there is none */
export async function readYaml(file: string, flag: string): Promise<unknown> {
  const text = await readFile(file, 'utf8').catch((cause: NodeJS.ErrnoException) => {
    const found =
      { ENOENT: 'there is no such file', EISDIR: 'it is a directory' }[cause.code ?? ''] ?? cause.message;
    throw new UsageError(`${flag} ${file}: ${found}.`, { cause });
  });
  const { parseYaml } = await import('../core/yaml-document.js');
  return parseYaml(text, (why, cause) => {
    // Of a file that is no text it may be as long as that.
    const what = why.length >= 200 ? 'found something else' : `${why}.`;
    return new UsageError(`${file}: expected YAML or JSON: ${what}`, { cause });
  });
}

/** Where settings are read, and from what. */
interface Reading {
  readonly settings: readonly Setting[];
  /** Of a program that gives settings there is none. */
  readonly file?: string;
}

/** `my.yaml: `, where there is a file. */
const where = ({ file }: Reading): string => (file === undefined ? '' : `${file}: `);

/** The settings of a document: of their own, or of a whole run.json. @throws {UsageError} with the place */
export function givenByDocument(document: unknown, reading: Reading): GivenSettings {
  if (document === null) return {};
  if (!isGroup(document)) {
    throw new UsageError(`${where(reading)}expected settings by name, found ${inWords(document)}.`);
  }
  if (!('schemaVersion' in document)) return readGroup(document, '', reading);
  if (isGroup(document.settings)) return readGroup(document.settings, '', reading);
  throw new UsageError(`${where(reading)}expected settings, or the run.json of a run, found another record.`);
}

type Group = Readonly<Record<string, unknown>>;

const isGroup = (value: unknown): value is Group =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function readGroup(group: Group, prefix: string, reading: Reading): GivenSettings {
  const { settings } = reading;
  const entries = Object.entries(group).map(([key, value]): GivenSettings => {
    const place = prefix + key;
    if (value === null || value === undefined) return {};
    // A group may be given by its name alone: `model: cnn`, as the first version wrote partitions.
    const own = isGroup(value) ? [place] : [place, `${place}.name`, `${place}.scheme`];
    const setting = settings.find((each) => own.includes(each.place));
    if (
      setting === undefined &&
      isGroup(value) &&
      settings.some((each) => each.place.startsWith(`${place}.`))
    )
      return readGroup(value, `${place}.`, reading);
    if (setting === undefined && settings.some((each) => each.place.startsWith(`${place}.`))) {
      throw new UsageError(`${where(reading)}${place}: expected settings by name, found ${inWords(value)}.`);
    }
    if (setting === undefined) throw new UsageError(unknownSetting(place, reading));
    const read = checkedValue(setting.type, value);
    if (read !== undefined) return { [setting.place]: read };
    throw new UsageError(
      `${where(reading)}${setting.place}: expected ${expectedOf(setting.type)}, found ${inWords(value)}.`,
    );
  });
  return Object.assign({}, ...entries);
}

/** What of given settings stands beside others that win, as those of flags over a file's: none that they replace, or make foreign. */
export function withoutReplaced(
  inFile: GivenSettings,
  byFlags: GivenSettings,
  settings: readonly Setting[],
): GivenSettings {
  const isGiven = (place: string) => byFlags[place] !== undefined;
  const isReplaced = (setting: Setting) => {
    const { place, defaultsBy } = setting;
    if (rivalsOf(setting, settings).some(isGiven)) return true;
    if (settings.some((each) => each.insteadOf === place && isGiven(each.place))) return true;
    const chosen = defaultsBy && byFlags[defaultsBy.place];
    return chosen !== undefined && !Object.hasOwn(defaultsBy?.defaults ?? {}, `${chosen}`);
  };
  const isDropped = (setting: Setting): boolean => {
    const head = settings.find(({ place }) => place === setting.onlyWith);
    return isReplaced(setting) || (head !== undefined && isDropped(head));
  };
  const dropped = settings.filter(isDropped);
  const kept = Object.entries(inFile).filter(([place]) => !dropped.some((each) => each.place === place));
  return Object.fromEntries(kept);
}

function unknownSetting(place: string, reading: Reading): string {
  const places = reading.settings.map((each) => each.place);
  const last = (text: string) => text.split('.').at(-1) ?? text;
  const plain = (text: string) => text.replaceAll(/[-_]/g, '').toLowerCase();
  const meant =
    places.find((each) => plain(last(each)) === plain(last(place))) ??
    nearest(place, places, 3) ??
    places.find((each) => last(each) === nearest(last(place), places.map(last), 2)) ??
    nearest(place, [...new Set(places.map((each) => each.split('.')[0] ?? each))], 2);
  const hint = meant === undefined ? '' : ` Did you mean ${meant}?`;
  return `${where(reading)}there is no setting ${place}.${hint}`;
}

/** The word with the fewest letters to change, if these are at most `most`. */
export function nearest(word: string, words: readonly string[], most: number): string | undefined {
  const [best] = words
    .map((each) => [each, distance(word, each)] as const)
    .filter(([, changes]) => changes <= most)
    .sort(([, a], [, b]) => a - b);
  return best?.[0];
}

/** Letters to insert, remove or change to make one word of the other (Levenshtein). */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, at) => at);
  for (const [index, letter] of [...a].entries()) {
    const next = [index + 1];
    for (let at = 1; at <= b.length; at++) {
      const changed = (row[at - 1] ?? 0) + (letter === b[at - 1] ? 0 : 1);
      next.push(Math.min(changed, (row[at] ?? 0) + 1, (next[at - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row.at(-1) ?? 0;
}

/** A value that is none of a setting, for messages. */
export function inWords(value: unknown): string {
  if (typeof value === 'string') return `"${value}"`;
  if (value === undefined) return 'nothing';
  return isGroup(value) ? 'a group of settings' : Array.isArray(value) ? 'a list' : `${value}`;
}
