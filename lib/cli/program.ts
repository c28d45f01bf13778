/** Runs one command-line program: flags, help, reporter, signals, and the way from an error to an exit code. */
import { realpathSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type Command, CommanderError, Option } from 'commander';
import { DataError, ExitCode, InterruptedError, toErrorMessage } from '../core/errors.js';
import { errorCode, isRefusal, systemReason } from '../core/system-errors.js';
import { quietReporter, type Reporter } from '../observability/events.js';
import { forMany } from '../system/abort.js';
import { withoutAliases } from './aliases.js';
import { leaveResult } from './result.js';
import { packageVersion } from './version.js';

/** What every program is given beside its own options. */
export interface ProgramContext {
  readonly reporter: Reporter;
  /** Aborts on SIGINT, SIGTERM and SIGHUP (the terminal is gone), and when the pipeline that started this program is. */
  readonly signal: AbortSignal;
  /** When it began, by the clock of the process; by default with the process. */
  readonly startedAtMs?: number;
  /** Whether the process stays when the program has ended, and may run it again. */
  readonly stays?: boolean;
}

/** Builds a commander command whose action does the work with `context`. */
export type CommandBuilder = (context: ProgramContext) => Command;

/** What asks a program to stop: Ctrl-C, `kill`, a terminal that is closed. */
const STOP_SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/**
 * After a first signal, how long a program may take to stop by itself: long enough for a run on a busy machine to end its
 * stages and to write down how it ended, and less than the 10 s after which `docker stop` kills.
 */
const STOP_GRACE_MS = 9_000;

/**
 * Signals within this time are one request: a terminal sends Ctrl-C to every process of the group, and npm or
 * the pipeline hands it on once more.
 */
const SAME_SIGNAL_MS = 500;

/**
 * Parses `argv` (without node and script), runs the command and ends the process with its exit code.
 * Never rejects: every failure is reported in one sentence on stderr, with a stack only under `--debug`.
 */
export async function runProgram(build: CommandBuilder, argv: readonly string[]): Promise<void> {
  const flags = normaliseFlags(argv);
  const stop = new AbortController();
  let tellOverdue = (_message: string): void => undefined;
  const release = abortOnRequest(stop, (message) => tellOverdue(message));
  const reporter = await createReporter(ownOf(flags));
  tellOverdue = reporter.error;
  endWithReader(reporter);
  const exitCode = await runArguments(build, flags, { reporter, signal: forMany(stop.signal) });
  if (exitCode !== ExitCode.ok) process.exitCode = exitCode;
  // After a first signal the handler stays: the second one that a terminal and npm send must not kill the ending.
  if (!stop.signal.aborted) release();
}

/**
 * Parses `argv`, runs the command and returns its exit code; a failure is told to the reporter. Never rejects. A command
 * that misses a file which another machine has put on NFS by now begins again.
 */
export async function runArguments(
  build: CommandBuilder,
  argv: readonly string[],
  context: ProgramContext,
  missed: readonly string[] = [],
): Promise<ExitCode> {
  const { reporter, signal } = context;
  const flags = normaliseFlags(argv);
  try {
    const command = addCommonOptions(build(context));
    await command.parseAsync(withoutAliases(command, flags), { from: 'user' });
    reporter.close();
    return ExitCode.ok;
  } catch (error) {
    const file = missedFile(error);
    if (file !== undefined && !missed.includes(file) && !signal.aborted) {
      const { appears } = await import('../formats/files/late-names.js');
      if (await appears(file)) return await runArguments(build, argv, context, [...missed, file]);
    }
    reporter.close();
    return report(error, { reporter, debug: ownOf(flags).includes('--debug'), interrupted: signal.aborted });
  }
}

/** The file that a command could not read because it was not there. */
function missedFile(error: unknown): string | undefined {
  return error instanceof DataError && errorCode(error.cause) === 'ENOENT' ? error.problem.file : undefined;
}

/** The command that users type, in a checkout too; every program is one of its subcommands. */
export const PROGRAM = 'npx fedbatch';

/** `--n_container=3` and `--n-container=3` are the same flag. */
export function normaliseFlag(argument: string): string {
  if (!argument.startsWith('--')) return argument;
  const equals = argument.indexOf('=');
  const end = equals < 0 ? argument.length : equals;
  return argument.slice(0, end).replaceAll('_', '-') + argument.slice(end);
}

/** Behind a `--` stands what is somebody else's. */
function ownOf(argv: readonly string[]): readonly string[] {
  const end = argv.indexOf('--');
  return end < 0 ? argv : argv.slice(0, end);
}

function normaliseFlags(argv: readonly string[]): readonly string[] {
  const own = ownOf(argv);
  return [...own.map(normaliseFlag), ...argv.slice(own.length)];
}

/** Adds what all programs share and makes usage errors throw instead of ending the process. */
export function addCommonOptions(program: Command): Command {
  // The program's own folder names it `split`; what a user types, and what help shows, is `npx fedbatch split`.
  if (program.name() !== PROGRAM) program.name(`${PROGRAM} ${program.name()}`);
  for (const each of withSubcommands(program)) {
    configureHelp(each)
      .optionsGroup(COMMON_OPTIONS)
      .version(packageVersion(), '--version', 'print the version')
      .addOption(
        new Option('--log-format <format>', 'how progress and messages are written to stderr')
          .choices(['human', 'json'])
          .default('human')
          .env('FEDBATCH_LOG_FORMAT'),
      )
      .option('--quiet', 'tell nothing but warnings, errors and the result')
      .option('--debug', 'show the stack trace of an error')
      .helpOption('-h, --help', 'show this help')
      .exitOverride()
      .showHelpAfterError('(add --help for the options)');
  }
  return program;
}

function withSubcommands(command: Command): readonly Command[] {
  return [command, ...command.commands.flatMap(withSubcommands)];
}

/**
 * The reporter is needed before parsing (usage errors are reported too), so its flags are read by hand. Only the one that
 * is wanted is loaded: programs start often.
 */
async function createReporter(flags: readonly string[]): Promise<Reporter> {
  const at = flags.findIndex((flag) => flag === '--log-format' || flag.startsWith('--log-format='));
  const given = at < 0 ? process.env.FEDBATCH_LOG_FORMAT : (flags[at]?.split('=')[1] ?? flags[at + 1]);
  const reporter =
    given === 'json'
      ? (await import('../observability/json-reporter.js')).createJsonReporter()
      : await (await import('../observability/human-reporter.js')).createHumanReporter();
  return flags.includes('--quiet') ? quietReporter(reporter) : reporter;
}

/**
 * Where whoever reads the output has gone (`fedbatch … | head`), the program ends without a word. Where a file takes no more
 * of it, a lost result ends the program, and lost messages do not: the work is worth more than what is told of it.
 */
function endWithReader(reporter: Reporter): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error) => {
      if (errorCode(error) === 'EPIPE') process.exit();
      if (!isRefusal(error)) throw error;
      if (stream === process.stderr) return;
      reporter.error(`The output could not be written: ${systemReason(error)}.`);
      process.exit(ExitCode.data);
    });
  }
}

/**
 * Aborts on the first signal, or when the parent is gone; ends the process at once on a later second signal, and with a
 * word where it has not stopped in time.
 */
function abortOnRequest(stop: AbortController, tellOverdue: (message: string) => void): () => void {
  let requestedAt = 0;
  const request = () => {
    if (stop.signal.aborted) {
      if (Date.now() - requestedAt > SAME_SIGNAL_MS) process.exit(ExitCode.interrupted);
      return;
    }
    requestedAt = Date.now();
    stop.abort(new InterruptedError());
    setTimeout(() => {
      const seconds = STOP_GRACE_MS / 1000;
      tellOverdue(`Interrupted: what was at work did not stop within ${seconds} s, and was cut off.`);
      process.exit(ExitCode.interrupted);
    }, STOP_GRACE_MS).unref();
  };
  for (const name of STOP_SIGNALS) process.on(name, request);
  // The pipeline starts its stages with a channel: when even `kill -9` ends it, the channel closes, and no
  // trainer works on for nobody.
  process.on('disconnect', request);
  process.channel?.unref();
  const wasStartedWithChannel = process.send !== undefined;
  if (wasStartedWithChannel && !process.connected) request();
  return () => {
    for (const name of STOP_SIGNALS) process.off(name, request);
    process.off('disconnect', request);
  };
}

interface ReportOptions {
  readonly reporter: Reporter;
  readonly debug: boolean;
  readonly interrupted: boolean;
}

function report(error: unknown, { reporter, debug, interrupted }: ReportOptions): ExitCode {
  if (error instanceof CommanderError) {
    // Commander has printed its own message, or the help or version that was asked for.
    if (error.exitCode === 0) return ExitCode.ok;
    leaveResult(error.message);
    return ExitCode.usage;
  }
  if (interrupted) {
    const { message } = error instanceof InterruptedError ? error : new InterruptedError();
    reporter.error(message);
    leaveResult(message);
    return ExitCode.interrupted;
  }
  const { message, exitCode } = toErrorMessage(error);
  leaveResult(message);
  if (exitCode !== ExitCode.bug) reporter.error(message);
  else reporter.error(`${message} (this is a bug in fedbatch; run again with --debug for the stack trace)`);
  if (debug && error instanceof Error) process.stderr.write(`${formatStack(error)}\n`);
  return exitCode;
}

function formatStack(error: Error): string {
  const own = error.stack ?? error.message;
  return error.cause instanceof Error ? `${own}\ncaused by ${formatStack(error.cause)}` : own;
}

/** True when the module at `moduleUrl` (its `import.meta.url`) is the entry point, also through a symbolic link. */
export function isMain(moduleUrl: string): boolean {
  const entry = process.argv[1];
  return entry !== undefined && realpathSync(entry) === fileURLToPath(moduleUrl);
}

/** Columns of help at most. */
const MOST_COLUMNS = 110;

/** The title of the options that every command has. */
const COMMON_OPTIONS = 'Help and messages:';

/** Sets how the help of a command is written. */
export function configureHelp(command: Command): Command {
  return command.configureHelp({
    ...command.configureHelp(),
    optionDescription: describeOption,
    helpWidth: helpWidth(),
  });
}

/** E.g. `the model; one of cnn, mlp (default: cnn)`; what each choice means stands on lines of its own. */
function describeOption(option: Option): string {
  const { description, argChoices, envVar } = option;
  const [sentence = '', ...meanings] = description.split('\n');
  const choices = argChoices === undefined || meanings.length > 0 ? '' : `; one of ${argChoices.join(', ')}`;
  const byDefault = option.defaultValueDescription ?? valueInWords(option.defaultValue);
  const facts = [
    ...(byDefault === undefined ? [] : [`default: ${byDefault}`]),
    ...(envVar === undefined ? [] : [`environment: ${envVar}`]),
  ];
  const told = facts.length === 0 ? '' : ` (${facts.join('; ')})`;
  return [sentence + choices + told, ...meanings].join('\n');
}

function valueInWords(value: unknown): string | undefined {
  return typeof value === 'string' || typeof value === 'number' ? `${value}` : undefined;
}

/** As wide as the terminal, but no wider than reads well; a pipe or a log gets the full measure. */
function helpWidth(): number {
  return Math.max(60, Math.min(process.stdout.columns ?? MOST_COLUMNS, MOST_COLUMNS));
}
