/** The schedule of a point: what a seed draws of jobs, states, and faults, and how that is told. */
import { type RandomStream, randomStream } from '../../lib/core/random.js';
import { JOBS, type Job, type JobName } from './jobs.js';
import type { OperationKind } from './session.js';

/** Which operations an error of the system can meet. */
const CHANGES = ['create', 'rename', 'link', 'unlink', 'mkdir', 'truncate'] as const;
const ALL_KINDS = [...CHANGES, 'open', 'read', 'write', 'sync', 'close', 'list'] as const;
export const ERRNO_KINDS = {
  ENOSPC: ['create', 'write', 'sync', 'close', 'mkdir', 'rename', 'link'],
  EDQUOT: ['create', 'write', 'sync', 'close', 'mkdir', 'rename', 'link'],
  EIO: ['read', 'write', 'sync', 'close', 'list', 'open'],
  ESTALE: ALL_KINDS,
  EROFS: CHANGES,
  EACCES: [...CHANGES, 'open', 'list'],
  ENAMETOOLONG: ['create', 'rename', 'link', 'mkdir'],
  EMFILE: ['create', 'open', 'list'],
} as const satisfies Readonly<Record<string, readonly OperationKind[]>>;
export type ErrnoName = keyof typeof ERRNO_KINDS;

/** A fault, from operation `at` of its session on; 0 is before the session begins. */
export type Fault = { readonly at: number } & (
  | {
      readonly kind: 'kill';
      /** Who did the operation, all, the first process, or one that it started. */
      readonly who: 'process' | 'tree' | 'first' | 'child';
      /** Before the operation, in the middle of a write, or with the power gone: what was not synced is lost. */
      readonly how: 'before' | 'torn' | 'power';
      /** The next session begins while what the killed process had started may still run. */
      readonly isAtOnce: boolean;
    }
  | { readonly kind: 'errno'; readonly errno: ErrnoName; readonly times: number }
  | { readonly kind: 'short'; readonly times: number }
  | { readonly kind: 'slow'; readonly ms: number }
  | { readonly kind: 'clock'; readonly seconds: number }
  | { readonly kind: 'stop'; readonly who: 'process' | 'tree'; readonly seconds: number }
  /** `pick` says which file of those that are there, from 0 to 1; `place` which byte of it. */
  | { readonly kind: 'delete'; readonly what: 'file' | 'volume'; readonly pick: number }
  | { readonly kind: 'flip'; readonly pick: number; readonly place: number; readonly bit: number }
  | { readonly kind: 'second' }
);
export type FaultKind = Fault['kind'];

/** What a point does: sessions with their faults, before the one that nothing disturbs. */
export interface Schedule {
  readonly seed: number;
  readonly job: JobName;
  /** Index of the state that it begins from. */
  readonly start: number;
  /** Whether locks that the state holds of a dead process are taken away before. */
  readonly isUnlocked: boolean;
  readonly sessions: readonly (readonly Fault[])[];
  /** Whether the command is given once more at the end. */
  readonly isRepeated: boolean;
}

/** All that stays for good. */
const FOREVER = 1_000_000;

const FAULT_WEIGHTS: readonly (readonly [FaultKind, number])[] = [
  ['kill', 40],
  ['errno', 27],
  ['short', 4],
  ['slow', 2],
  ['clock', 4],
  ['stop', 4],
  ['delete', 7],
  ['flip', 8],
  ['second', 4],
];

/** The job of a seed. */
export function drawJob(seed: number): JobName {
  return weighted(
    randomStream(seed, 'faults', 'job'),
    JOBS.map(({ name, weight }) => [name, weight]),
  );
}

/** The schedule of a seed; `stopSeconds` is how long processes are stopped. */
export function drawSchedule(seed: number, job: Job, stopSeconds: number): Schedule {
  const random = randomStream(seed, 'faults', 'schedule');
  const start = random.integer(0, job.starts.length - 1);
  const left = job.operations.length - (job.starts[start]?.operations ?? 0);
  const drawn = { random, job, stopSeconds, left: Math.max(40, Math.ceil(left * 1.1)) };
  const sessions = Array.from({ length: random.uniform() < 0.15 ? 2 : 1 }, () => {
    const faults = [drawFault(drawn)];
    if (random.uniform() < 0.2) faults.push(drawFault(drawn));
    return faults;
  });
  const [isUnlocked, isRepeated] = [random.uniform() < 0.5, random.uniform() < 0.1];
  return { seed, job: job.name, start, isUnlocked, sessions, isRepeated };
}

interface Drawn {
  readonly random: RandomStream;
  readonly job: Job;
  readonly stopSeconds: number;
  /** Operations that an undisturbed session would still do. */
  readonly left: number;
}

function drawFault(drawn: Drawn): Fault {
  const { random, job, stopSeconds } = drawn;
  const at = drawPlace(drawn);
  const kind = weighted(
    random,
    FAULT_WEIGHTS.filter(([kind]) => canMeet(job, kind)),
  );
  switch (kind) {
    case 'kill': {
      const who = pick(random, ['process', 'process', 'tree', 'tree', 'first', 'child'] as const);
      const how = pick(random, ['before', 'before', 'before', 'torn', 'power'] as const);
      const isAtOnce = random.uniform() < 0.3;
      return { kind, at, how, isAtOnce, who: how === 'power' ? 'tree' : !job.isRun ? 'process' : who };
    }
    case 'errno': {
      const errno = pick(random, Object.keys(ERRNO_KINDS) as ErrnoName[]);
      return { kind, at, errno, times: pick(random, [1, 1, 3, FOREVER]) };
    }
    case 'short':
      return { kind, at, times: pick(random, [1, 5, FOREVER]) };
    case 'slow':
      return { kind, at, ms: random.integer(20, 200) };
    case 'clock':
      return { kind, at, seconds: pick(random, [-86_400, -3_600, -1, 60, 86_400, 31_536_000]) };
    case 'stop':
      return { kind, at, who: pick(random, ['process', 'tree'] as const), seconds: stopSeconds };
    case 'delete': {
      const isVolume = random.uniform() < 0.15;
      const when = !isVolume && random.uniform() < 0.5 ? 0 : at;
      return { kind, at: when, what: isVolume ? 'volume' : 'file', pick: random.uniform() };
    }
    case 'flip': {
      const when = random.uniform() < 0.7 ? 0 : at;
      const place = { pick: random.uniform(), place: random.uniform(), bit: random.integer(0, 7) };
      return { kind, at: when, ...place };
    }
    case 'second':
      return { kind, at };
  }
}

/** Half of the places are any operation; the others are one of a kind that is drawn first, so that rare ones are met as often. */
function drawPlace({ random, job, left }: Drawn): number {
  const any = random.integer(1, left);
  if (random.uniform() < 0.5) return any;
  const from = job.operations.length - left;
  const coming = job.operations.filter(({ number }) => number > from);
  const kinds = [...new Set(coming.map(({ kind }) => kind))];
  if (kinds.length === 0) return any;
  const kind = pick(random, kinds);
  return Math.max(
    1,
    pick(
      random,
      coming.filter((each) => each.kind === kind),
    ).number - Math.max(0, from),
  );
}

/** By hand, a stage takes what it is given: only the splitter's manifest vouches for files. A private run has no other noise to fall back on. */
function canMeet(job: Job, kind: FaultKind): boolean {
  if (kind !== 'flip' && kind !== 'delete') return true;
  return job.name === 'split' || (job.isRun === true && job.isPrivate !== true);
}

const pick = <T>(random: RandomStream, list: readonly T[]): T =>
  list[random.integer(0, list.length - 1)] as T;

function weighted<T>(random: RandomStream, entries: readonly (readonly [T, number])[]): T {
  let left = random.uniform() * entries.reduce((sum, [, weight]) => sum + weight, 0);
  for (const [value, weight] of entries) {
    left -= weight;
    if (left < 0) return value;
  }
  return entries.at(-1)?.[0] as T;
}

const WHO = {
  process: 'the process that does',
  tree: 'all processes before',
  first: 'the first process alone at',
  child: 'one that it started, at',
} as const;

/** In words: `kill all processes before operation 132`. */
export function tellFault(fault: Fault): string {
  const when = fault.at === 0 ? 'before the command' : `operation ${fault.at}`;
  const from = `from ${when} on`;
  switch (fault.kind) {
    case 'kill': {
      const how = { before: '', torn: ', in the middle of a write', power: ', what was not synced is lost' };
      const next = fault.isAtOnce && fault.who === 'first' ? ', the others may still run' : '';
      return `kill ${WHO[fault.who]} ${when}${how[fault.how]}${next}`;
    }
    case 'errno':
      return `${fault.errno} ${from}, ${tellTimes(fault.times)}`;
    case 'short':
      return `short reads and writes ${from}, ${tellTimes(fault.times)}`;
    case 'slow':
      return `each sync takes ${fault.ms} ms longer ${from}`;
    case 'clock':
      return `the clock jumps by ${fault.seconds} s at ${when}`;
    case 'stop':
      return `stop ${fault.who === 'tree' ? 'all processes' : 'the process'} for ${fault.seconds} s at ${when}`;
    case 'delete':
      return `delete ${fault.what === 'volume' ? 'the volume' : 'a file'} at ${when}`;
    case 'flip':
      return `flip bit ${fault.bit} of a byte of a file at ${when}`;
    case 'second':
      return `a second pipeline at ${when}`;
  }
}

const tellTimes = (times: number) =>
  times >= FOREVER ? 'for good' : times === 1 ? 'once' : `${times} times`;
