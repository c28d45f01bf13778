/** A command of the user's own, run as one client: what is the client's goes in, what the command leaves is the result. */
import { existsSync } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { execa } from 'execa';
import type { ProgramContext } from '../lib/cli/program.js';
import { DataError, InterruptedError, messageOf, StageError, UsageError } from '../lib/core/errors.js';
import { own } from '../lib/core/own.js';
import { timerMs } from '../lib/core/timers.js';
import { withScratchDirectory } from '../lib/formats/files/scratch-file.js';
import type { AsClientResult } from '../lib/formats/stage-results.js';
import { DATA_NOTE } from '../lib/observability/events.js';
import { environmentOfUsers, signalGroup } from '../lib/system/processes.js';

/** What to run, and as whom. */
export interface ClientWork {
  /** Program and arguments; `{rank}`, `{size}`, `{shard}`, `{scratch}` and `{result}` stand for what is the client's. */
  readonly command: readonly string[];
  readonly client: number;
  /** Clients in all. */
  readonly size: number;
  /** The client's shard, where it has one. */
  readonly shard?: string | undefined;
  readonly timeoutSeconds?: number | undefined;
}

/** More than this belongs into a file on the volume: results travel by logs and command lines. */
const MAX_RESULT_BYTES = 2 ** 20;

/** After the request to end, how long a command may take before it is killed; less than a stage has itself. */
const GRACE_MS = 1_500;

/** So many of a command's last lines explain its failure. */
const KEPT_LINES = 5;

/**
 * Runs the command to its end.
 *
 * @throws {StageError} when it fails, or takes too long
 * @throws {UsageError} when there is no such program, or the command names a shard and there is none
 * @throws {DataError} when the shard is missing
 */
export async function runAsClient(
  { client, size, shard, ...work }: ClientWork,
  context: ProgramContext,
): Promise<AsClientResult> {
  const startedAt = performance.now();
  if (shard !== undefined && !existsSync(shard))
    throw new DataError({ file: shard, expected: `the shard of client ${client}`, found: 'none' });
  return await withScratchDirectory('each', async (scratch) => {
    const places = {
      ...{ rank: `${client}`, size: `${size}` },
      ...(shard === undefined ? {} : { shard: resolve(shard) }),
      ...{ scratch, result: join(scratch, 'result.json') },
    };
    const printed = await runCommand({ ...work, places }, context);
    const result = await resultOf(places.result, printed);
    return { client, seconds: Math.round(performance.now() - startedAt) / 1000, result };
  });
}

interface PlacedWork extends Pick<ClientWork, 'command' | 'timeoutSeconds'> {
  /** What is the client's, by name. */
  readonly places: Readonly<Record<string, string>>;
}

/** What it printed; undefined where that was too much. */
async function runCommand(
  { command, timeoutSeconds, places }: PlacedWork,
  { reporter, signal }: ProgramContext,
): Promise<string | undefined> {
  const [program = '', ...words] = command.map((word) => filled(word, places));
  const late = timeoutSeconds === undefined ? undefined : AbortSignal.timeout(timerMs(timeoutSeconds * 1000));
  const stop = late === undefined ? signal : AbortSignal.any([signal, late]);
  // In a group of its own: what it has started ends with it.
  const child = execa(program, words, {
    env: environment(places),
    extendEnv: false,
    detached: true,
    stdin: 'ignore',
    reject: false,
    lines: true,
    buffer: false,
  });
  let force: NodeJS.Timeout | undefined;
  const end = () => {
    signalGroup(child.pid, 'SIGTERM');
    force = setTimeout(() => signalGroup(child.pid, 'SIGKILL'), GRACE_MS);
  };
  child.once('exit', () => {
    clearTimeout(force);
    signalGroup(child.pid, 'SIGKILL');
  });
  stop.addEventListener('abort', end, { once: true });
  if (stop.aborted) end();
  const printed: string[] = [];
  let bytes = 0;
  const last: string[] = [];
  await Promise.all([
    eachLine(child.iterable({ from: 'stdout' }), (line) => {
      bytes += Buffer.byteLength(line) + 1;
      if (bytes <= MAX_RESULT_BYTES) printed.push(line);
      reporter.info(line, DATA_NOTE);
    }),
    eachLine(child.iterable({ from: 'stderr' }), (line) => {
      last.push(line);
      if (last.length > KEPT_LINES) last.shift();
      reporter.info(line, DATA_NOTE);
    }),
  ]);
  const { exitCode, signal: endedBy, code, failed } = await child;
  stop.removeEventListener('abort', end);
  if (signal.aborted) throw new InterruptedError();
  if (late?.aborted) throw new StageError(program, `late: not done within ${timeoutSeconds} s.`);
  if (exitCode === undefined && endedBy === undefined)
    throw new UsageError(
      `${program}: expected a program that every client can start, found ${code ?? 'none'}.`,
    );
  if (!failed) return bytes <= MAX_RESULT_BYTES ? printed.join('\n') : undefined;
  const ending = exitCode === undefined ? `was ended by ${endedBy}` : `ended with exit code ${exitCode}`;
  const because = last.join('\n').trim();
  throw new StageError(program, because === '' ? `${ending}.` : `${ending}: ${because}`);
}

/** A word of the command with what it names of the client's. */
function filled(word: string, places: Readonly<Record<string, string>>): string {
  return word.replaceAll(/\{(rank|size|shard|scratch|result)\}/g, (_, name: string) => {
    const place = own(places, name);
    if (place !== undefined) return place;
    throw new UsageError(
      `The command names {${name}}, and the clients have none: say where their shards lie.`,
    );
  });
}

/** `FEDBATCH_RANK` and the others, beside what this process has. */
function environment(places: Readonly<Record<string, string>>): NodeJS.ProcessEnv {
  const given = Object.entries(places).map(([name, place]) => [`FEDBATCH_${name.toUpperCase()}`, place]);
  return environmentOfUsers(Object.fromEntries(given));
}

async function eachLine(lines: AsyncIterable<string>, use: (line: string) => void): Promise<void> {
  for await (const line of lines) use(line);
}

/** What the command left: its file, else what it printed. @throws {StageError} for no JSON, or too much of it */
async function resultOf(file: string, printed: string | undefined): Promise<unknown> {
  const written = await stat(file).catch(() => undefined);
  const tooMuch = `more than the ${MAX_RESULT_BYTES / 2 ** 20} MiB that a result may have`;
  const advice = 'write it to a file on the volume, and give its name.';
  if (written === undefined) {
    if (printed === undefined)
      throw new StageError('result', `the command printed ${tooMuch}: write one to FEDBATCH_RESULT.`);
    return parsed(printed) ?? (printed === '' ? null : printed);
  }
  if (written.size > MAX_RESULT_BYTES)
    throw new StageError('result', `the command wrote ${written.size} bytes, ${tooMuch}: ${advice}`);
  const text = await readFile(file, 'utf8');
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new StageError('result', `expected JSON in FEDBATCH_RESULT: ${messageOf(error)}.`, {
      cause: error,
    });
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
