/** A command under the shim: the operations of its processes on the files of one directory, counted and disturbed as rules say. */
import { closeSync, openSync, readSync, statSync, truncateSync, writeFileSync, writeSync } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { constants } from 'node:os';
import { join, relative } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import { isGroupStopped, isRunning } from '../processes.js';
import { programPath } from '../programs.js';
import { projectRoot } from '../sources.js';

/** Kinds of operations, as the shim numbers them. */
const KINDS = {
  open: 1,
  create: 2,
  read: 4,
  write: 8,
  sync: 16,
  close: 32,
  rename: 64,
  link: 128,
  unlink: 256,
  mkdir: 512,
  truncate: 1024,
  list: 2048,
} as const;
export type OperationKind = keyof typeof KINDS;

const ACTIONS = { halt: 1, torn: 2, fail: 3, short: 4, slow: 5, clock: 6 } as const;
const PROCESSES = { any: 0, child: 1, first: 2 } as const;

/** What the first operations from `at` on meet that are of these kinds and processes. */
export interface Rule {
  readonly at: number;
  readonly action: keyof typeof ACTIONS;
  /** The errno, the milliseconds or the seconds that the action takes. */
  readonly argument?: number;
  /** So many operations; one by default. */
  readonly times?: number;
  readonly who?: keyof typeof PROCESSES;
  /** All by default. */
  readonly kinds?: readonly OperationKind[];
}

/** An operation that was about to happen; paths are seen from the directory. */
export interface Operation {
  readonly number: number;
  readonly process: number;
  /** The program, e.g. `aggregator/cli.js`. */
  readonly program: string;
  readonly kind: OperationKind;
  readonly path: string;
  readonly to: string;
  /** Of an open file; 0 of a path. */
  readonly inode: number;
  /** Index of the last rule that met it, or -1. */
  readonly rule: number;
}

/** A process of which a thread waits before an operation, or after the first half of a write. */
export interface Halted {
  readonly process: number;
  readonly rule: number;
  /** The first process of the command, which leads the group of all. */
  readonly first: number;
}

/** How a command ended. */
export interface Session {
  /** Absent where a signal ended it, or it did not end. */
  readonly exitCode: number | undefined;
  readonly signal: string | undefined;
  readonly isTimedOut: boolean;
  readonly stderr: string;
  readonly operations: readonly Operation[];
  /** The processes that it started, itself among them. */
  readonly processes: readonly number[];
}

/** Where commands run, and what disturbs them. */
export interface Shim {
  readonly library: string;
  /** For what the shim keeps, and for the programs' own temporary files. */
  readonly directory: string;
}

/** What to run. */
interface SessionOptions {
  readonly args: readonly string[];
  /** Operations below it count. */
  readonly root: string;
  readonly rules?: readonly Rule[];
  /** Acts on a halted process, whose thread goes on afterwards unless it has been killed. */
  readonly onHalt?: (halted: Halted) => Promise<void>;
  /** A program that is given the command's line. */
  readonly wrapper?: readonly string[];
}

const STATE_BYTES = 4096;
/** Where the numbers lie in the shim's state. */
const HALTS_AT = 24;
const HALTED_AT = 32;
const HALTED_BYTES = 24;
const RELEASED_AT = 16;
const POLL_MS = 3;
/** How often the log of operations is looked at. */
const LOOK_MS = 500;
/** A command that does nothing on the volume for longer hangs, however busy the machine is. */
const QUIET_MS = 240_000;
/** One that goes on doing something for longer hangs, too. */
const MOST_MS = 5 * QUIET_MS;

/** Compiles the shim into a directory; undefined, where there is no compiler, or no Linux. */
export async function buildShim(directory: string): Promise<Shim | undefined> {
  if (process.platform !== 'linux') return undefined;
  const library = join(directory, 'shim.so');
  const source = join(projectRoot, 'test', 'faults', 'shim.c');
  const flags = ['-Wall', '-Wextra', '-Werror', '-O1', '-shared', '-fPIC', '-o', library, source, '-ldl'];
  const { failed, code, stderr } = await execa('cc', flags, { reject: false });
  if (code === 'ENOENT') return undefined;
  if (failed) throw new Error(`cc ${flags.join(' ')}: ${stderr}`);
  const own = join(directory, 'shim');
  await mkdir(join(own, 'tmp'), { recursive: true });
  return { library, directory: own };
}

let sessions = 0;

/** Runs a command of `npx fedbatch` to its end, as the leader of a process group of its own. */
export async function runSession(
  shim: Shim,
  { args, root, rules = [], onHalt, wrapper = [] }: SessionOptions,
): Promise<Session> {
  sessions += 1;
  const [state, log] = ['state', 'log'].map((name) => join(shim.directory, `${name}-${sessions}`)) as [
    string,
    string,
  ];
  writeFileSync(state, '');
  truncateSync(state, STATE_BYTES);
  writeFileSync(log, '');
  const [program = '', ...line] = [...wrapper, process.execPath, programPath('cli'), ...args];
  const child = execa(program, line, {
    cwd: shim.directory,
    reject: false,
    detached: true,
    cleanup: false,
    stdin: 'ignore',
    env: {
      LD_PRELOAD: shim.library,
      FAULTS_ROOT: root,
      FAULTS_STATE: state,
      FAULTS_LOG: log,
      FAULTS_PLAN: rules.map(encodeRule).join(';'),
      UV_USE_IO_URING: '0',
      TMPDIR: join(shim.directory, 'tmp'),
    },
  });
  const first = child.pid ?? 0;
  let [isOver, isTimedOut] = [false, false];
  let [loggedBytes, quietMs, allMs] = [0, 0, 0];
  const timer = setInterval(() => {
    const { size } = statSync(log);
    allMs += LOOK_MS;
    quietMs = size === loggedBytes ? quietMs + LOOK_MS : 0;
    loggedBytes = size;
    if (quietMs < QUIET_MS && allMs < MOST_MS) return;
    isTimedOut = true;
    signalGroup(first, 'SIGKILL');
  }, LOOK_MS);
  const watching =
    onHalt === undefined ? undefined : watchHalts(state, { first, onHalt, isOver: () => isOver });
  const { exitCode, signal, stderr } = await child;
  isOver = true;
  clearInterval(timer);
  await watching;
  return { exitCode, signal, isTimedOut, stderr, ...(await readLog(log, root)) };
}

/** Sends a signal to a process that may have ended. */
export function signalProcess(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It has ended.
  }
}

/** Sends a signal to a command and all that it started; nothing where all have ended. */
export const signalGroup = (first: number, signal: NodeJS.Signals): void => signalProcess(-first, signal);

/** Halts a command and all that it started: when this is over, none of their threads changes a file. */
export async function stopGroup(first: number): Promise<void> {
  signalGroup(first, 'SIGSTOP');
  while (!isGroupStopped(first)) await sleep(1);
}

/** Waits until no process of a session runs any more. */
export async function waitForAll({ processes }: Session): Promise<void> {
  while (processes.some(isRunning)) await sleep(10);
}

function encodeRule({ at, action, argument = 0, times = 1, who = 'any', kinds }: Rule): string {
  const sum = (kinds ?? (Object.keys(KINDS) as OperationKind[])).reduce(
    (mask, kind) => mask | KINDS[kind],
    0,
  );
  return [at, ACTIONS[action], argument, times, PROCESSES[who], sum].join(' ');
}

/** The number of an error of the system. */
export const errnoOf = (name: keyof typeof constants.errno): number => constants.errno[name];

async function watchHalts(
  state: string,
  {
    first,
    onHalt,
    isOver,
  }: {
    readonly first: number;
    readonly onHalt: NonNullable<SessionOptions['onHalt']>;
    readonly isOver: () => boolean;
  },
): Promise<void> {
  const file = openSync(state, 'r+');
  const bytes = Buffer.alloc(STATE_BYTES);
  try {
    for (let seen = 0; !isOver(); ) {
      readSync(file, bytes, 0, STATE_BYTES, 0);
      const at = HALTED_AT + seen * HALTED_BYTES;
      const halted = Number(bytes.readBigInt64LE(HALTS_AT)) > seen ? Number(bytes.readBigInt64LE(at)) : 0;
      if (halted === 0) {
        await sleep(POLL_MS);
        continue;
      }
      seen += 1;
      await onHalt({ process: halted, rule: Number(bytes.readBigInt64LE(at + 8)), first });
      writeSync(file, Buffer.from([1]), 0, 1, at + RELEASED_AT);
    }
  } finally {
    closeSync(file);
  }
}

async function readLog(log: string, root: string): Promise<Pick<Session, 'operations' | 'processes'>> {
  const programs = new Map<number, string>();
  const operations: Operation[] = [];
  const below = (path: string) => (path === '' ? '' : relative(root, path) || '.');
  for (const line of (await readFile(log, 'utf8')).split('\n')) {
    const [number = '', pid = '', third = '', path = '', to = '', inode = '', rule = ''] = line.split('\t');
    if (number === '') continue;
    const process = Number(pid);
    if (number === 'process') {
      programs.set(process, /(?:^|\/)dist\/(\S+\.js)/.exec(third)?.[1] ?? third);
      continue;
    }
    const program = programs.get(process) ?? '';
    const facts = {
      process,
      program,
      kind: third as OperationKind,
      inode: Number(inode),
      rule: Number(rule),
    };
    operations.push({ ...facts, number: Number(number), path: below(path), to: below(to) });
  }
  return { operations, processes: [...programs.keys()] };
}
