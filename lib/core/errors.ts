/** The kinds of failure that fedbatch knows, each with its exit code, and how they pass between threads. */
import { isRefusal, refusalSentence } from './system-errors.js';

/** Exit codes of every fedbatch program; on Kubernetes, 2 and 3 are not worth a retry. */
export const ExitCode = {
  ok: 0,
  bug: 1,
  usage: 2,
  data: 3,
  threshold: 4,
  stage: 5,
  interrupted: 130,
} as const;
export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode];

/** What each exit code tells a user. */
export const exitCodeMeanings: Readonly<Record<ExitCode, string>> = {
  [ExitCode.ok]: 'done',
  [ExitCode.bug]: 'a bug: please report it',
  [ExitCode.usage]: 'wrong usage or configuration',
  [ExitCode.data]: 'bad input data, or a volume that cannot be written',
  [ExitCode.threshold]: 'a quorum of client updates or a required accuracy missed',
  [ExitCode.stage]: 'a stage failed',
  [ExitCode.interrupted]: 'interrupted',
};

/** Base of every expected failure: its message is one sentence that a user can act on. */
export abstract class FedbatchError extends Error {
  abstract readonly exitCode: ExitCode;
}

/** Wrong usage or configuration: a flag, a combination of flags, a setting. */
export class UsageError extends FedbatchError {
  override readonly name = 'UsageError';
  readonly exitCode = ExitCode.usage;
}

/** What was wrong with a file: where, what was expected there, and what was found. */
export interface DataProblem {
  readonly file: string;
  readonly expected: string;
  readonly found: string;
  /** The line to type that mends it. */
  readonly mend?: string | undefined;
  /** The packages of Python that the line imports where that is more than numpy, as pip calls them: `numpy h5py`. */
  readonly mendNeeds?: string | undefined;
}

/** Bad input data: a file that is missing, damaged, or not what it should be. */
export class DataError extends FedbatchError {
  override readonly name = 'DataError';
  readonly exitCode = ExitCode.data;
  readonly problem: DataProblem;

  constructor(problem: DataProblem, options?: ErrorOptions) {
    const { file, expected, found, mend, mendNeeds } = problem;
    const needs = mendNeeds === undefined ? '' : ` (pip install ${mendNeeds})`;
    // The command ends the line bare, so that it can be copied as it stands.
    const advice = mend === undefined ? '' : ` To mend it${needs}: ${mend}`;
    super(`${file}: expected ${expected}, found ${found}.${advice}`, options);
    this.problem = problem;
  }
}

/** A sha256 as messages tell it: enough of it to tell two apart. */
export const abbreviatedHash = (hash: string): string => `${hash.slice(0, 12)}…`;

/** The volume refused a write (full, read-only, too large); trying again at once would not help. */
export class StorageError extends FedbatchError {
  override readonly name = 'StorageError';
  readonly exitCode = ExitCode.data;
  readonly file: string;

  constructor(file: string, message: string, options?: ErrorOptions) {
    super(`${file}: ${message}`, options);
    this.file = file;
  }
}

/** A quorum of client updates or a required accuracy was missed. */
export class ThresholdError extends FedbatchError {
  override readonly name = 'ThresholdError';
  readonly exitCode = ExitCode.threshold;
}

/** What is known of a stage's failure beside its message. */
export interface StageErrorOptions extends ErrorOptions {
  /** The stage's own exit code, where it says more than "a stage failed": wrong usage, bad data, a missed threshold. */
  readonly exitCode?: ExitCode;
  /** Whose stage it was. */
  readonly client?: number | undefined;
}

/** A stage of the pipeline (a child process or a Job) failed. */
export class StageError extends FedbatchError {
  override readonly name = 'StageError';
  readonly exitCode: ExitCode;
  readonly stage: string;
  readonly client: number | undefined;
  /** The message without the stage's name. */
  readonly reason: string;

  constructor(
    stage: string,
    message: string,
    { exitCode = ExitCode.stage, client, ...options }: StageErrorOptions = {},
  ) {
    super(`${stage}: ${message}`, options);
    this.exitCode = exitCode;
    this.stage = stage;
    this.client = client;
    this.reason = message;
  }
}

/** The user or the cluster asked the program to stop. */
export class InterruptedError extends FedbatchError {
  override readonly name = 'InterruptedError';
  readonly exitCode = ExitCode.interrupted;

  constructor(message = 'Interrupted.', options?: ErrorOptions) {
    super(message, options);
  }
}

/** Whether `error` is an expected failure (else it is a bug). */
export function isFedbatchError(error: unknown): error is FedbatchError {
  return error instanceof FedbatchError;
}

/** An error as plain data. */
export interface ErrorMessage {
  readonly message: string;
  readonly exitCode: ExitCode;
  readonly stack: string;
}

/** An error that happened in another thread; its cause carries that thread's stack. */
class TransportedError extends FedbatchError {
  override readonly name = 'TransportedError';
  readonly exitCode: ExitCode;

  constructor({ message, exitCode, stack }: ErrorMessage) {
    const cause = new Error(message);
    cause.stack = stack;
    super(message, { cause });
    this.exitCode = exitCode;
  }
}

/** What a thrown value says. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Any thrown value as plain data: an expected failure, or the system's refusal; what is neither is a bug. */
export function toErrorMessage(error: unknown): ErrorMessage {
  const message = isRefusal(error) ? refusalSentence(error) : messageOf(error);
  const stack = error instanceof Error ? (error.stack ?? message) : message;
  const unexpected = isRefusal(error) ? ExitCode.data : ExitCode.bug;
  return { message, exitCode: isFedbatchError(error) ? error.exitCode : unexpected, stack };
}

/** The error behind plain data: an expected failure again, or a bug. */
export function fromErrorMessage(error: ErrorMessage): Error {
  if (error.exitCode !== ExitCode.bug) return new TransportedError(error);
  const bug = new Error(error.message);
  bug.stack = error.stack;
  return bug;
}

/** A model that cannot be built: layers that do not fit together, or a kind that this engine does not know. */
export class ModelError extends FedbatchError {
  override readonly name = 'ModelError';
  readonly exitCode = ExitCode.data;
}

/** What is wrong with a model, told of its file; other errors as they are. */
export function inFile(error: unknown, file: string): unknown {
  if (!(error instanceof ModelError)) return error;
  const expected = 'a model of layers that fedbatch knows';
  return new DataError({ file, expected, found: error.message }, { cause: error });
}

/**
 * The session that an engine makes of the model in a file.
 *
 * @throws {DataError} naming the file where the engine cannot build the model
 */
export async function sessionOf<Session>(path: string, session: Promise<Session>): Promise<Session> {
  return await session.catch((error: unknown) => {
    throw inFile(error, path);
  });
}
