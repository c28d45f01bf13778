/** Tries to train one client: again after a failure that may pass, never longer than the round's deadline. */
import { ExitCode, InterruptedError, StageError } from '../lib/core/errors.js';
import type { ClientRecord } from '../lib/formats/run-record.js';
import type { LocalRun } from './local-run.js';
import { stageName } from './stage-process.js';
import type { ClientTask, ClientTrainer } from './train-client.js';

/** What came of it: a report, or why there is none. */
export type Attempted =
  | { readonly reported: ClientRecord }
  | { readonly reason: string; readonly error?: StageError };

/** The time that a round gives its clients. */
export interface Deadline {
  readonly seconds: number;
  /** Aborts when the time is over. */
  readonly signal: AbortSignal;
}

/** A deadline that many seconds from now; none without a number. */
export function deadlineIn(seconds: number | undefined): Deadline | undefined {
  return seconds === undefined ? undefined : { seconds, signal: AbortSignal.timeout(seconds * 1000) };
}

/**
 * Calls `trainer` until it succeeds, `retries` times again at most. Bad data stay bad, so that they are not tried again;
 * what is wrong with the configuration is wrong for every client, and thrown.
 *
 * @throws {InterruptedError} when the run is stopped
 * @throws {StageError} with the exit code of wrong usage
 */
export async function attemptTraining(
  run: LocalRun,
  options: {
    readonly task: ClientTask;
    readonly trainer: ClientTrainer;
    readonly deadline: Deadline | undefined;
  },
): Promise<Attempted> {
  const { task, trainer, deadline } = options;
  const { retries } = run.tolerance;
  const isLate = () => deadline?.signal.aborted === true;
  if (deadline && isLate()) return { reason: `late: not started within ${deadline.seconds} s` };
  const signal = deadline ? AbortSignal.any([run.signal, deadline.signal]) : run.signal;
  for (let retry = 0; ; retry++) {
    try {
      return { reported: await trainer({ ...run, signal }, task) };
    } catch (error) {
      if (error instanceof InterruptedError && deadline && isLate() && !run.signal.aborted) {
        return { reason: `late: not done within ${deadline.seconds} s` };
      }
      if (!(error instanceof StageError) || error.exitCode === ExitCode.usage) throw error;
      const reason = inOneLine(error.reason);
      if (error.exitCode === ExitCode.data || retry >= retries) return { reason, error };
      await tellRetry(run, { task, reason, retry: retry + 1 });
    }
  }
}

/** What a crashed process wrote may be long; its first line says what happened. */
function inOneLine(reason: string): string {
  const [first = ''] = reason.split('\n');
  return first.replace(/\.$/, '');
}

async function tellRetry(
  { reporter, metrics, tolerance }: LocalRun,
  { task, reason, retry }: { readonly task: ClientTask; readonly reason: string; readonly retry: number },
): Promise<void> {
  const { client } = task;
  const { round } = task.task;
  const name = stageName({ stage: 'train', client });
  reporter.warn(`${name}: ${reason}; trying again (${retry} of ${tolerance.retries}).`, { round, client });
  await metrics.append({ event: 'retry', round, client, retry, reason });
}
