/** The process that reads inputs, seen from outside: started, asked, watched by the clock and the memory, and ended. */
import { type ChildProcess, fork } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { usageOfProcess } from '../../lib/system/processes.js';
import type { WorkerReply, WorkerRequest, WorkerStart } from './messages.js';

/** Why a process is no more, and what it was reading. */
export class ReaderGone extends Error {
  override readonly name = 'ReaderGone';
  /** `hang`, `memory`, or how it ended. */
  readonly what: string;
  readonly input: Uint8Array;
  /** Which of its piece that was. */
  readonly index: number;

  constructor(what: string, { input, index }: Current) {
    super(`the process that reads ended: ${what}`);
    this.what = what;
    this.input = input;
    this.index = index;
  }
}

/** Answers to one request: those on the way, and the last. */
export type OnReply = (reply: WorkerReply) => boolean;

/** A process that reads. */
export interface ReaderProcess {
  readonly baselineBytes: number;
  readonly inputs: number;
  /** Asks, and hears until `isLast` says that this was the last reply. @throws {ReaderGone} */
  ask(request: WorkerRequest, isLast: OnReply): Promise<void>;
  end(): void;
}

interface Current {
  /** How many inputs it has begun to read. */
  readonly reads: number;
  readonly index: number;
  readonly input: Uint8Array;
}

/** An input may take this much of the processor; waiting may take longer on a busy machine. */
const HANG_CPU_MS = 4_000;
const HANG_MS = 120_000;
/** What the process itself does not get to say, since it is still reading. */
const MOST_BYTES = 2 * 2 ** 30;
const LOOK_EVERY_MS = 250;
/** Heaps beyond end the process, as any memory that is not to be had. */
const HEAP_MEGABYTES = 768;
const WORKER = fileURLToPath(new URL('./fuzz-worker.js', import.meta.url));
const MOST_STDERR = 4_000;

/** Starts one. @throws {ReaderGone} when the corpus itself ends it */
export async function startReader(
  given: Pick<WorkerStart, 'target' | 'corpus' | 'isGuided'>,
): Promise<ReaderProcess> {
  const directory = mkdtempSync(join(tmpdir(), 'fedbatch-fuzz-'));
  const currentFile = join(directory, 'current');
  const child = fork(WORKER, {
    execArgv: [`--max-old-space-size=${HEAP_MEGABYTES}`, '--no-warnings'],
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
  let stderr = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    stderr = (stderr + chunk.toString('utf8')).slice(-MOST_STDERR);
  });
  let gone: string | undefined;
  let onReply: ((reply: WorkerReply) => void) | undefined;
  let onGone: (() => void) | undefined;
  child.on('message', (reply: WorkerReply) => onReply?.(reply));
  child.on('exit', (code, signal) => {
    gone ??= `${signal ?? `exit code ${code}`}: ${stderr.trim().split('\n').slice(-12).join('\n')}`;
    onGone?.();
  });

  const ask = async (request: WorkerRequest, isLast: OnReply): Promise<void> => {
    const watch = watchReader(child, currentFile, (why) => {
      gone ??= why;
      child.kill('SIGKILL');
    });
    try {
      await new Promise<void>((resolve, reject) => {
        onGone = () => reject(new ReaderGone(gone ?? '', readCurrent(currentFile)));
        if (gone !== undefined) return onGone();
        onReply = (reply) => {
          if (isLast(reply)) resolve();
        };
        child.send(request, (error) => error !== null && onGone?.());
      });
    } finally {
      clearInterval(watch);
      [onReply, onGone] = [undefined, undefined];
    }
  };
  const end = () => {
    gone ??= 'it was ended';
    child.kill('SIGKILL');
    rmSync(directory, { recursive: true, force: true });
  };

  const facts = { baselineBytes: 0, inputs: 0 };
  try {
    await ask({ kind: 'start', start: { ...given, directory, currentFile } }, (reply) => {
      if (reply.kind !== 'ready') return false;
      Object.assign(facts, reply);
      return true;
    });
  } catch (error) {
    end();
    throw error;
  }
  return { ...facts, ask, end };
}

/** Three numbers before the input itself. */
const HEAD_BYTES = 12;

/** What is written of the input that is being read. */
function readCurrent(file: string): Current {
  const bytes = readBytes(file);
  if (bytes.length < HEAD_BYTES) return { reads: 0, index: 0, input: new Uint8Array(0) };
  const [reads, length, index] = [0, 4, 8].map((at) => bytes.readUInt32LE(at)) as [number, number, number];
  return { reads, index, input: bytes.subarray(HEAD_BYTES, HEAD_BYTES + length) };
}

function readBytes(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch {
    return Buffer.alloc(0);
  }
}

/** Ends a process that reads the same input for too long, or takes too much. */
function watchReader(child: ChildProcess, file: string, stop: (why: string) => void): NodeJS.Timeout {
  let since = { reads: -1, cpuMs: 0, atMs: 0 };
  return setInterval(() => {
    const { cpuMs, residentBytes } = usageOfProcess(child.pid);
    if (residentBytes > MOST_BYTES) return stop('memory');
    const { reads } = readCurrent(file);
    const atMs = performance.now();
    if (reads !== since.reads) since = { reads, cpuMs, atMs };
    else if (reads > 0 && (cpuMs - since.cpuMs > HANG_CPU_MS || atMs - since.atMs > HANG_MS)) stop('hang');
  }, LOOK_EVERY_MS);
}
