/** Expected failures on their way between threads: what they say and their exit code survive. */
import { ExitCode as codes, type ExitCode, FedbatchError, isFedbatchError } from './errors.js';

/** An error as plain data. */
export interface ErrorMessage {
  readonly message: string;
  readonly exitCode: ExitCode;
  readonly stack: string;
}

/** An error that happened in another thread; its cause carries that thread's stack. */
export class TransportedError extends FedbatchError {
  override readonly name = 'TransportedError';
  readonly exitCode: ExitCode;

  constructor({ message, exitCode, stack }: ErrorMessage) {
    const cause = new Error(message);
    cause.stack = stack;
    super(message, { cause });
    this.exitCode = exitCode;
  }
}

/** Any thrown value as plain data; what is no expected failure is a bug. */
export function toErrorMessage(error: unknown): ErrorMessage {
  const message = error instanceof Error ? error.message : String(error);
  const stack = error instanceof Error ? (error.stack ?? message) : message;
  return { message, exitCode: isFedbatchError(error) ? error.exitCode : codes.bug, stack };
}

/** The error behind plain data: an expected failure again, or a bug. */
export function fromErrorMessage(error: ErrorMessage): Error {
  if (error.exitCode !== codes.bug) return new TransportedError(error);
  const bug = new Error(error.message);
  bug.stack = error.stack;
  return bug;
}
