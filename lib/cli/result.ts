/** What a program tells at its end: a line on stdout, and a file for whoever started it and cannot read its output. */
import { writeFileSync } from 'node:fs';
import type { Fields, Reporter } from '../observability/events.js';
import { type Paint, painterFor, plainText, printable } from '../observability/format.js';

/** The variable that names the file; on Kubernetes `/dev/termination-log`, which becomes the pod's status. */
export const RESULT_FILE = 'FEDBATCH_RESULT_FILE';

/** What Kubernetes keeps of a container's last words. */
const MAX_BYTES = 4096;

/** A result: an object that JSON can hold. */
type Result = Readonly<Record<string, unknown>>;

/**
 * Prints a result as the last line of stdout, and leaves it in the file that was asked for; there without its `details`
 * (names of fields) where it would be too long, `incomplete` in their place.
 */
export function tellResult(result: object, details: readonly string[] = []): void {
  const text = JSON.stringify(result);
  process.stdout.write(`${text}\n`);
  const isLong = details.length > 0 && Buffer.byteLength(text) > MAX_BYTES;
  const rest = Object.entries(result).filter(([name]) => !details.includes(name));
  leaveResult(isLong ? { ...Object.fromEntries(rest), incomplete: true } : result);
}

/** Prints text for people on stdout, and ends the line. */
export const say = (text: string): void => void process.stdout.write(`${printable(text)}\n`);

/** Prints a result on stdout: as a line of JSON, or as text for people. */
export function sayResult(result: object, text: () => string, isJson: boolean | undefined): void {
  if (isJson) process.stdout.write(`${JSON.stringify(result)}\n`);
  else say(text());
}

/** What a command that works for long came to. */
interface Outcome {
  /** For people. */
  readonly text: (paint: Paint) => string;
  /** The line of JSON that programs read. */
  readonly result: object;
  /** What the tables of the text tell beside the result. */
  readonly tables?: Fields;
}

/** Tells what a command came to. */
export interface OutcomeWriter {
  tell(outcome: Outcome): void;
  /** Prints a line for people. */
  print(line: string): void;
}

/** Flags that say who reads the result of a command. */
export interface OutcomeFlags {
  readonly json?: boolean;
  readonly logFormat?: 'human' | 'json';
}

/** Whether the result is a line of JSON on stdout. */
export const wantsJson = ({ json, logFormat }: OutcomeFlags): boolean =>
  json === true || logFormat === 'json';

/**
 * For people the text on stdout; with `--json` the result on stdout, and the text where progress goes. A log of JSON has
 * the result and its tables as fields of a line, and stdout the result.
 */
export function outcomeWriter(reporter: Reporter, flags: OutcomeFlags): OutcomeWriter {
  const { stdout } = process;
  const isJson = wantsJson(flags);
  const print = (line: string) => (isJson ? reporter.info(line) : say(line));
  return {
    print,
    tell({ text, result, tables }) {
      reporter.close();
      if (flags.logFormat === 'json') reporter.info('result', { event: 'result', ...result, ...tables });
      else print(text(isJson ? plainText : painterFor(stdout)));
      if (isJson) stdout.write(`${JSON.stringify(result)}\n`);
    },
  };
}

/** Leaves a result, or the sentence that says why there is none, in the file that was asked for, if one was. */
export function leaveResult(result: object | string): void {
  const file = process.env[RESULT_FILE];
  if (file === undefined || file === '') return;
  try {
    // In place and not by rename: Kubernetes has mounted this one file into the container.
    writeFileSync(file, typeof result === 'string' ? cut(result) : fit(result as Result));
  } catch {
    // The work is done all the same, and stdout and stderr have told it: no reason to fail.
  }
}

/** JSON of at most MAX_BYTES that can still be read: lists are shortened where it would be longer. */
function fit(result: Result): string {
  const text = JSON.stringify(result);
  if (Buffer.byteLength(text) <= MAX_BYTES) return text;
  const longest = Object.entries(result)
    .filter((entry): entry is [string, readonly unknown[]] => Array.isArray(entry[1]) && entry[1].length > 0)
    .sort(([, a], [, b]) => JSON.stringify(b).length - JSON.stringify(a).length)[0];
  if (longest === undefined) return JSON.stringify({ shortened: true });
  const [name, list] = longest;
  return fit({ ...result, [name]: list.slice(0, list.length >> 1), shortened: true });
}

function cut(sentence: string): string {
  const bytes = Buffer.from(sentence);
  if (bytes.length <= MAX_BYTES) return sentence;
  // A character that was cut in two decodes to U+FFFD.
  return bytes
    .subarray(0, MAX_BYTES)
    .toString()
    .replace(/\uFFFD$/, '');
}
