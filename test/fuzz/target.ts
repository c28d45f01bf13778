/** What is fuzzed: a reader of the house with inputs that it knows, and how what it did is judged. */
import { ExitCode, isFedbatchError, messageOf } from '../../lib/core/errors.js';
import { HttpProblem } from '../../lib/http/problems.js';
import type { Reshape } from './mutate.js';

/** A reader and what to give it. */
export interface FuzzTarget {
  /** Well-formed inputs, and nearly so: mutations begin with them. Small ones: much is read in little time. */
  readonly seeds: readonly Uint8Array[];
  /** What means something in the format. */
  readonly words?: readonly Uint8Array[];
  readonly reshape?: Reshape;
  /** Reads an input as the programs do. @throws what they throw */
  read(bytes: Uint8Array): Promise<void>;
  /** Reads it where it ends and stops nothing else, where the programs do so: whoever did not survive `read` is judged by this. */
  readApart?(bytes: Uint8Array): Promise<void>;
  /** Lets go of servers and files. */
  close?(): Promise<void>;
}

/** Makes a target; `directory` is its own. */
export type MakeTarget = (directory: string) => Promise<FuzzTarget>;

/** How an input ended. */
export interface Outcome {
  /** `value`, or the class of a typed error, or what went wrong. */
  readonly kind: string;
  /** The error without what differs from input to input. */
  readonly shape: string;
  /** The stack of an error that nobody is to see. */
  readonly failure?: string;
}

/** Reads, and judges: a value and a typed error are right. */
export async function outcomeOf({ read }: Pick<FuzzTarget, 'read'>, bytes: Uint8Array): Promise<Outcome> {
  try {
    await read(bytes);
    return { kind: 'value', shape: 'value' };
  } catch (error) {
    const kind = error instanceof Error ? error.name : typeof error;
    const shape = `${kind}: ${shapeOf(messageOf(error))}`;
    const masked = maskedBug(error);
    if (masked !== undefined) return { kind: `${kind} of ${masked.name}`, shape, failure: stackOf(masked) };
    return isTyped(error) ? { kind, shape } : { kind, shape, failure: stackOf(error) };
  }
}

function isTyped(error: unknown): boolean {
  if (error instanceof HttpProblem) return error.status !== 500;
  return isFedbatchError(error) && error.exitCode !== ExitCode.bug;
}

const stackOf = (error: unknown): string => (error instanceof Error ? (error.stack ?? '') : String(error));

/** A mistake of our own code that was told as damage of the file; that of a library is how it says that. */
function maskedBug(error: unknown): Error | undefined {
  const cause = error instanceof Error ? error.cause : undefined;
  if (!(cause instanceof TypeError || cause instanceof ReferenceError)) return undefined;
  const [, frame = ''] = (cause.stack ?? '').split(/\n\s+at /);
  return /\/dist\//.test(frame) && !/node_modules/.test(frame) ? cause : undefined;
}

const MOST_SHAPE = 160;

/** Quotes, numbers and what else an input can put into a message are left out. */
function shapeOf(message: string): string {
  return message
    .replace(/"(?:[^"\\]|\\.)*"?|'[^']*'?/g, '"')
    .replace(/[\d.,]*\d/g, '#')
    .replace(/[^\x20-\x7e]+/g, '~')
    .slice(0, MOST_SHAPE);
}

/** Runs all of some reads, of which one that ends well is enough. @throws {Error} as `readAll` where none is */
export async function readAny(...reads: readonly (() => unknown)[]): Promise<void> {
  let taken = false;
  const counted = reads.map((read) => async () => {
    await read();
    taken = true;
  });
  try {
    await readAll(...counted);
  } catch (error) {
    if (!taken || !isTyped(error) || maskedBug(error) !== undefined) throw error;
  }
}

/** Runs all of some reads; the first typed error is thrown at the end, any other at once. */
export async function readAll(...reads: readonly (() => unknown)[]): Promise<void> {
  let first: unknown;
  for (const read of reads) {
    try {
      await read();
    } catch (error) {
      if (!isTyped(error) || maskedBug(error) !== undefined) throw error;
      first ??= error;
    }
  }
  if (first !== undefined) throw first;
}
