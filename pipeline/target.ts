/** Somewhere to run the stages of a run: the one thing that the runner asks of processes, an external trainer, a cluster. */
import type { z } from 'zod';
import { StageError } from '../lib/core/errors.js';
import type { StageCommand } from './commands/stage-commands.js';
import { type StageContext, type StageListeners, stageName } from './stage-process.js';

/** A command that did its work, with what its program printed last. */
export interface EndedCommand<T> {
  readonly command: StageCommand;
  readonly result: T;
}

/** A command that came to nothing. */
export interface LostCommand {
  readonly command: StageCommand;
  /** In one line. */
  readonly reason: string;
  /** What it failed by; absent where it was late. */
  readonly error?: StageError;
}

/** How a command ended. */
export type CommandEnding<T> = EndedCommand<T> | LostCommand;

/** How commands are run. */
export interface ExecuteOptions<T> extends StageContext, Pick<StageListeners, 'onEngine' | 'onWarning'> {
  /** What each prints as its last line. */
  readonly schema: z.ZodType<T>;
  /** How often a command that fails is tried again; bad data and wrong usage are not. 0 by default. */
  readonly retries?: number;
  /** Seconds that all commands have together, from now; those that are not done by then are lost. By default any. */
  readonly deadlineSeconds?: number | undefined;
  /** Called before a command is tried again. */
  readonly onRetry?: (lost: LostCommand, retry: number) => Promise<void>;
  /** Called for each command as it ends; what it throws stops the others. */
  readonly onEnding?: (ending: CommandEnding<T>) => Promise<void>;
}

/** Somewhere to run commands. */
export interface Target {
  /**
   * Runs commands side by side, as many as there is room for, and waits for all of them.
   *
   * @throws {StageError} when a command is used wrongly: so are the others
   * @throws {InterruptedError} when the signal stopped them
   */
  execute<T>(
    commands: readonly StageCommand[],
    options: ExecuteOptions<T>,
  ): Promise<readonly CommandEnding<T>[]>;
  /** Ends what lives longer than a command. */
  close(): Promise<void>;
}

/** Runs one command and returns its result. @throws {StageError} what it failed by */
export async function executeOne<T>(
  target: Pick<Target, 'execute'>,
  command: StageCommand,
  options: ExecuteOptions<T>,
): Promise<T> {
  const [ending] = await target.execute([command], options);
  if (ending !== undefined && 'result' in ending) return ending.result;
  throw ending?.error ?? new StageError(stageName(command), ending?.reason ?? 'was not run.');
}
