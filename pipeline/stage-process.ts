/** Runs stages as child processes: their progress passed on, their end turned into a result or one clear error. */
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import type { z } from 'zod';
import { RESULT_FILE } from '../lib/cli/result.js';
import { ExitCode, InterruptedError, StageError } from '../lib/core/errors.js';
import { DATA_NOTE, type ProgressEvent, type Reporter } from '../lib/observability/events.js';
import { WATCHING } from '../lib/settings/parts/watching.js';
import {
  type ServiceStarter,
  type StageContext,
  type StageListeners,
  type StageTask,
  stageName,
} from './rounds/target.js';

/** After the request to stop, how long a stage may take before it is killed; less than the pipeline's own grace. */
const FORCE_KILL_AFTER_MS = 3_000;

/** A stage other than training that ends within this time of its first progress shows none. */
const SHORT_STAGE_MS = 1_000;

/** So many lines of a failed stage explain it: its last error messages, else its first other lines (of a crash, say). */
const KEPT_LINES = 5;

/** What follows a wrong option, for people who type. */
const HINT = /^\(add --help /;

/** Exit codes whose meaning the pipeline's own exit code keeps. */
const PASSED_ON: readonly number[] = [ExitCode.usage, ExitCode.data, ExitCode.threshold];

/**
 * Runs a stage to its end and returns the lines that it wrote to stdout.
 *
 * @throws {StageError} when it fails: with its last error message, and its exit code where that says more
 * @throws {InterruptedError} when `signal` stopped it
 */
export async function runStage(
  task: StageTask,
  context: StageContext & StageListeners,
): Promise<readonly string[]> {
  const child = startStage(task, context, { stdin: 'ignore', keepsOutput: true });
  return (await finish(child, { task, ...context })).stdout;
}

/** Starts a process that lives until its stdin ends; its answers go to `onOutput`. */
export const startService: ServiceStarter = (task, context) => {
  const child = startStage(task, context, { stdin: 'pipe', keepsOutput: false });
  return {
    write: (line) => child.stdin?.write(`${line}\n`),
    end: () => child.stdin?.end(),
    ended: finish(child, { task, ...context }).then(() => undefined),
  };
};

/** What the pipeline is told by its environment alone: it is watched itself, and the file of a result is for its own. */
const NOT_OF_STAGES = Object.fromEntries(
  [RESULT_FILE, ...WATCHING.settings.flatMap(({ variable = [] }) => variable)].map((name) => [name, '']),
);

/** Starts the process of a stage. @throws {InterruptedError} when `signal` has aborted */
export function startStage(
  { program, arguments: given, runtime }: Pick<StageTask, 'program' | 'arguments' | 'runtime'>,
  { signal }: Pick<StageContext, 'signal'>,
  { stdin, keepsOutput }: { readonly stdin: 'ignore' | 'pipe'; readonly keepsOutput: boolean },
) {
  if (signal.aborted) throw new InterruptedError();
  const flags = [...(runtime?.nodeFlags ?? []), programPath(program), ...given, '--log-format', 'json'];
  const child = execa(process.execPath, flags, {
    env: { ...NOT_OF_STAGES, ...runtime?.environment },
    cancelSignal: signal,
    forceKillAfterDelay: FORCE_KILL_AFTER_MS,
    reject: false,
    stdin,
    lines: true,
    // stderr is read line by line below; kept whole, the progress of a long training would fill the memory.
    buffer: { stdout: keepsOutput, stderr: false },
    // The stage sees this channel close, and stops, even when the pipeline is killed outright.
    ipc: true,
  });
  // It may end before it reads: why it did is what its end tells.
  child.stdin?.on('error', () => undefined);
  return child;
}

/** Passes on what a stage says until it has ended. */
async function finish(
  child: ReturnType<typeof startStage>,
  { task, ...context }: { readonly task: StageTask } & StageContext & StageListeners,
): Promise<{ readonly stdout: readonly string[] }> {
  const { reporter, signal, onOutput } = context;
  const sink = lineSink(task, context);
  const output = onOutput && eachLine(child.iterable({ from: 'stdout' }), onOutput);
  await eachLine(child.iterable({ from: 'stderr' }), (line) => passOn(line, sink));
  await output;
  const result = await child;
  reporter.close(task);
  if (result.isCanceled || signal.aborted) throw new InterruptedError();
  if (result.failed) throw stageError(result, sink);
  return { stdout: (result.stdout ?? []) as readonly string[] };
}

/** How a stage ended that somebody else ran. */
export interface StageEnding {
  /** Absent where a signal ended it. */
  readonly exitCode?: number | undefined;
  readonly signal?: string | undefined;
  readonly stdout: readonly string[];
  /** What it told, as JSON lines. */
  readonly stderr: readonly string[];
}

/**
 * Treats a stage that ended elsewhere as one that ended here: its warnings are passed on, and its stdout is the result.
 *
 * @throws {StageError} as {@link runStage} does
 */
export function settleStage(
  task: StageTask,
  { exitCode, signal, stdout, stderr }: StageEnding,
  context: Pick<StageContext, 'reporter'> & StageListeners,
): readonly string[] {
  const sink = lineSink(task, context);
  for (const line of stderr) passOn(line, sink);
  if (exitCode === 0) return stdout;
  throw stageError(exitCode === undefined ? { signal: signal ?? 'an unknown signal' } : { exitCode }, sink);
}

/** The result that a stage writes as the last line of stdout. @throws {StageError} when it is no such result */
export function lastJsonLine<T>(task: StageTask, lines: readonly string[], schema: z.ZodType<T>): T {
  const line = lines.at(-1) ?? '';
  const parsed = schema.safeParse(parseLine(line));
  if (parsed.success) return parsed.data;
  throw new StageError(stageName(task), `ended well, but its result was not understood: "${line}".`, {
    cause: parsed.error,
  });
}

/** Hands on line after line. */
export async function eachLine(lines: AsyncIterable<string>, use: (line: string) => void): Promise<void> {
  for await (const line of lines) use(line);
}

function programPath(program: string): string {
  return fileURLToPath(new URL(`../${program}`, import.meta.url));
}

/** Training, which takes the time, shows all of its progress; what any other stage came to has a line of its own. */
function showProgress(progress: ProgressEvent, sink: LineSink): void {
  sink.firstProgressAt ??= Date.now();
  const { stage, done, total } = progress;
  if (stage !== 'train' && done >= total) sink.reporter.close({ stage });
  else if (stage === 'train' || Date.now() - sink.firstProgressAt > SHORT_STAGE_MS) {
    sink.reporter.progress(progress);
  }
}

/** Where the lines of a stage's log go. */
interface LineSink {
  readonly task: StageTask;
  readonly reporter: Reporter;
  readonly onEngine: StageListeners['onEngine'];
  readonly onWarning: StageListeners['onWarning'];
  /** Error messages, and lines that are no log. */
  readonly errors: string[];
  readonly other: string[];
  firstProgressAt?: number;
}

/** What a stage tells goes to `context`. */
export function lineSink(
  task: StageTask,
  { reporter, onEngine, onWarning }: Pick<StageContext, 'reporter'> & StageListeners,
): LineSink {
  return { task, reporter, onEngine, onWarning, errors: [], other: [] };
}

/** Progress and warnings go on to the pipeline's reporter; what explains a failure is kept in `errors`. */
export function passOn(line: string, sink: LineSink): void {
  const { task, reporter, errors, other } = sink;
  const entry = parseLine(line);
  if (entry === undefined) {
    if (line.trim() !== '' && !HINT.test(line) && other.length < KEPT_LINES) other.push(line.trim());
  } else if (entry.event === 'progress') {
    showProgress(progressOf(entry, task), sink);
  } else if (entry.event === 'engine') {
    sink.onEngine?.({ engine: String(entry.engine), why: String(entry.why) });
  } else if (entry.event === DATA_NOTE.event) {
    reporter.info(`${stageName(task)}: ${entry.msg}`);
  } else if (entry.level === 'error' || entry.level === 'fatal') {
    errors.push(String(entry.msg));
  } else if (entry.level === 'warn') {
    reporter.warn(`${stageName(task)}: ${entry.msg}`);
    sink.onWarning?.(entry);
  }
}

/** A line of the JSON log, or undefined for anything else. */
function parseLine(line: string): Record<string, unknown> | undefined {
  if (!line.startsWith('{')) return undefined;
  try {
    return JSON.parse(line) as Record<string, unknown>;
  } catch {
    return undefined;
  }
}

function progressOf(entry: Record<string, unknown>, task: StageTask): ProgressEvent {
  const { level, time, event, msg, ...progress } = entry;
  // A trainer that a user runs by hand knows nothing of these; here they are known.
  const { client, round, rounds } = task;
  const known = Object.entries({ client, round, rounds }).filter(([, value]) => value !== undefined);
  return { ...(progress as unknown as ProgressEvent), ...Object.fromEntries(known) };
}

/** How a process ended. */
export interface ProcessEnding {
  readonly exitCode?: number;
  readonly signal?: string;
  readonly cause?: unknown;
}

/** What a stage failed by, in its own words. */
export function stageError(
  { exitCode, signal, cause }: ProcessEnding,
  { task, errors, other }: LineSink,
): StageError {
  const ending =
    exitCode !== undefined
      ? `ended with exit code ${exitCode}`
      : signal === 'SIGKILL'
        ? 'was killed (SIGKILL), perhaps because memory ran out'
        : `was ended by ${signal ?? 'an unknown cause'}`;
  const lines = errors.length > 0 ? errors.slice(-KEPT_LINES) : other;
  const because = lines.map((line) => line.replace(/^error: /, '')).join('\n');
  const passedOn = PASSED_ON.includes(exitCode ?? -1) ? { exitCode: exitCode as ExitCode } : {};
  // That a stage failed is all that this exit code says.
  const why = exitCode === ExitCode.stage && errors.length > 0 ? because : `${ending}: ${because}`;
  return new StageError(stageName(task), because === '' ? `${ending}.` : why, {
    cause,
    client: task.client,
    ...passedOn,
  });
}
