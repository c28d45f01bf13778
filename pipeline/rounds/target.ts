/** Somewhere to run the stages of a run: the one thing that the runner asks of processes, an external trainer, a cluster. */
import type { z } from 'zod';
import { StageError } from '../../lib/core/errors.js';
import type { Reporter } from '../../lib/observability/events.js';
import type { StageCommand } from '../commands/stage-commands.js';

/** One stage to run, for one client where it has one. */
export interface StageTask {
  readonly stage: StageCommand['stage'] | 'simulate' | 'report' | 'serve' | 'doctor';
  readonly client?: number;
  /** The round that it works for, and how many there are at most. */
  readonly round?: number;
  readonly rounds?: number;
  /** The program below the compiled project, e.g. `trainer/cli.js`. */
  readonly program: string;
  readonly arguments: readonly string[];
  /** Tuning of Node and of the allocator under it, where it matters. */
  readonly runtime?: {
    readonly nodeFlags: readonly string[];
    readonly environment: Readonly<Record<string, string>>;
  };
}

/** What a stage's engine is, and why it is this one. */
export interface EngineNote {
  readonly engine: string;
  readonly why: string;
}

/** What is wanted of a stage's output, line by line, while it runs. */
export interface StageListeners {
  /** Each line that it writes to stdout. */
  readonly onOutput?: (line: string) => void;
  /** What it runs on, once it knows. */
  readonly onEngine?: (note: EngineNote) => void;
  /** The fields of each warning; a stage that fails has no result to tell them by. */
  readonly onWarning?: (fields: Readonly<Record<string, unknown>>) => void;
}

/** What a stage is run with. */
export interface StageContext {
  readonly reporter: Reporter;
  /** Stops the stage: gently, then by force. */
  readonly signal: AbortSignal;
}

/**
 * Runs the program of a stage to its end and returns the lines that it wrote to stdout.
 *
 * @throws {StageError} when it fails: with its last error message, and its exit code where that says more
 * @throws {InterruptedError} when the signal stopped it
 */
export interface StageRunner {
  (task: StageTask, context: StageContext & StageListeners): Promise<readonly string[]>;
  /** Starts one that answers requests; by default as a process. */
  readonly service?: ServiceStarter;
}

/** A stage that answers requests. */
export interface ServiceStage {
  /** Writes a line to its stdin. */
  write(line: string): void;
  /** Lets it end: it has nothing more to do. */
  end(): void;
  /** Resolves when it has ended well, else rejects as a {@link StageRunner} does. */
  readonly ended: Promise<void>;
}

/** Starts a stage that lives until its stdin ends; its answers go to `onOutput`. */
export type ServiceStarter = (task: StageTask, context: StageContext & StageListeners) => ServiceStage;

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
  /** How many have to succeed: a target may end the others once they cannot. By default it runs all to their ends. */
  readonly quorum?: number | undefined;
  /** How often a command that fails is retried; bad data and wrong usage are not. 0 by default. */
  readonly retries?: number;
  /** Seconds that all commands have together, from now; those that are not done by then are lost. By default any. */
  readonly deadlineSeconds?: number | undefined;
  /** Seconds within which each has to be started; one that is not by then is lost. By default any. */
  readonly startSeconds?: number | undefined;
  /** Called before a command is retried. */
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

/** How messages name a stage, e.g. `train client 1`. */
export function stageName({ stage, client }: Pick<StageTask, 'stage' | 'client'>): string {
  return client === undefined ? stage : `${stage} client ${client}`;
}
