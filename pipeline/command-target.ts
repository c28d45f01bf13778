/** A target that runs commands one by one, each within its room: tries again what may pass, never longer than the deadline. */
import { ExitCode, InterruptedError, StageError } from '../lib/core/errors.js';
import { timerMs } from '../lib/core/timers.js';
import { requirePlace } from '../lib/formats/files/atomic-file.js';
import type { StageCommand } from './commands/stage-commands.js';
import { type LocalRun, sharingCores } from './local-run.js';
import type {
  CommandEnding,
  ExecuteOptions,
  LostCommand,
  StageContext,
  StageListeners,
  Target,
} from './rounds/target.js';
import { lastJsonLine, runStage } from './stage-process.js';

/** Runs a command to its end; returns what it wrote to stdout. @throws {StageError} as {@link runStage} does */
export type CommandRunner = (
  command: StageCommand,
  context: StageContext & StageListeners,
) => Promise<readonly string[]>;

/** The target whose commands are processes of this machine, within its cores; `run` may run them elsewhere. */
export function commandTarget(
  room: Pick<LocalRun, 'cores' | 'jobs' | 'threads'>,
  run: CommandRunner = runStage,
): Target {
  return {
    async execute(commands, options) {
      const { signal, deadlineSeconds: seconds, startSeconds = Number.POSITIVE_INFINITY } = options;
      const startBy = performance.now() + startSeconds * 1000;
      const deadline =
        seconds === undefined ? undefined : { seconds, signal: AbortSignal.timeout(timerMs(seconds * 1000)) };
      const endings = new Map<StageCommand, CommandEnding<never>>();
      const runInPlace = inPlace(run);
      await sharingCores({ ...room, signal }, commands, async (command, signal) => {
        const ending =
          performance.now() > startBy
            ? { command, reason: `late: not started within ${startSeconds} s` }
            : await attempt(runInPlace, command, { ...options, signal, deadline });
        endings.set(command, ending as CommandEnding<never>);
        await options.onEnding?.(ending);
      });
      return commands.flatMap((command) => endings.get(command) ?? []);
    },
    close: async () => undefined,
  };
}

/** Commands that start together look once whether the volume is still the run's: so they are given away together, too. */
function inPlace(run: CommandRunner): CommandRunner {
  let looking: Promise<void> | undefined;
  return async (command, context) => {
    looking ??= requirePlace().finally(() => {
      looking = undefined;
    });
    await looking;
    return await run(command, context);
  };
}

/** The time that commands have together. */
interface Deadline {
  readonly seconds: number;
  /** Aborts when the time is over. */
  readonly signal: AbortSignal;
}

/**
 * Runs a command until it succeeds, `retries` times again at most. Bad data stay bad, so that they are not tried again;
 * what is wrong with the configuration is wrong for every client, and thrown.
 */
async function attempt<T>(
  run: CommandRunner,
  command: StageCommand,
  options: ExecuteOptions<T> & { readonly deadline: Deadline | undefined },
): Promise<CommandEnding<T>> {
  const { schema, deadline, retries = 0, onRetry, reporter, onEngine, onWarning } = options;
  const isLate = () => deadline?.signal.aborted === true;
  const late = (what: string) => ({ command, reason: `late: not ${what} within ${deadline?.seconds} s` });
  if (isLate()) return late('started');
  const signal = deadline ? AbortSignal.any([options.signal, deadline.signal]) : options.signal;
  const context = {
    ...{ reporter, signal },
    ...(onEngine === undefined ? {} : { onEngine }),
    ...(onWarning === undefined ? {} : { onWarning }),
  };
  for (let retry = 0; ; retry++) {
    try {
      const lines = await run(command, context);
      return { command, result: lastJsonLine(command, lines, schema) };
    } catch (error) {
      if (error instanceof InterruptedError && isLate() && !options.signal.aborted) return late('done');
      if (!(error instanceof StageError) || error.exitCode === ExitCode.usage) throw error;
      const lost: LostCommand = { command, reason: inOneLine(error.reason), error };
      if (error.exitCode === ExitCode.data || retry >= retries) return lost;
      await onRetry?.(lost, retry + 1);
    }
  }
}

/** What a crashed process wrote may be long; its first line says what happened. */
function inOneLine(reason: string): string {
  const [first = ''] = reason.split('\n');
  return first.replace(/\.$/, '');
}
