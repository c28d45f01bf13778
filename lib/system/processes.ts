/** Other processes: what they take of the machine, who goes first, what programs of the user are given and how they are stopped. */
import { readFileSync } from 'node:fs';
import { constants, setPriority } from 'node:os';

/** What a process has taken of the processor until now, and takes of memory. */
export interface ProcessUsage {
  readonly cpuMs: number;
  readonly residentBytes: number;
}

const TICK_MS = 10;

/**
 * What Linux tells of a process in /proc (proc(5), stat), from its third field on, the state: what comes before holds its
 * name, and that may hold spaces. Nothing where the process is gone, or where there is no /proc.
 */
export function statOf(pid: number | 'self' | undefined): readonly string[] {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return stat
      .slice(stat.lastIndexOf(')') + 2)
      .trim()
      .split(' ');
  } catch {
    return [];
  }
}

/** Of a process by its id; zeros where nothing is told of it. */
export function usageOfProcess(pid: number | undefined): ProcessUsage {
  const stat = statOf(pid);
  // Its user and system time.
  const [user = 0, system = 0] = [14, 15].map((field) => Number(stat[field - 3] ?? 0));
  // What stat tells of memory is in pages, which have 4 to 64 KiB.
  return { cpuMs: (user + system) * TICK_MS, residentBytes: bytesInProc(`/proc/${pid}/status`, 'VmRSS') };
}

/** A field of a file of /proc that is told in kB; 0 where the process is gone. */
export function bytesInProc(path: string, field: string): number {
  try {
    const [, value = '0'] =
      new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(readFileSync(path, 'latin1')) ?? [];
    return Number(value) * 1024;
  } catch {
    return 0;
  }
}

/**
 * Lets everything else go first: a process and the threads that it will start, or with 0 this thread alone. On Linux
 * only, where a thread has a priority of its own. Where the system does not allow it, all go on as they were.
 */
export function giveWay(pid = 0): void {
  if (process.platform !== 'linux') return;
  try {
    setPriority(pid, constants.priority.PRIORITY_BELOW_NORMAL);
  } catch {
    // It has ended already, or a sandbox forbids it.
  }
}

/** What programs of ours are told by their environment, and a program that calls one must not be. */
const OURS = [
  ...['FEDBATCH_RESULT_FILE', 'FEDBATCH_CLIENTS', 'FEDBATCH_LOG_FORMAT', 'JOB_COMPLETION_INDEX'],
  ...['FEDBATCH_METRICS_PORT', 'FEDBATCH_METRICS_HOST', 'FEDBATCH_PUSHGATEWAY'],
];

/** The environment of this process without what is ours, and `more`. */
export function environmentOfUsers(more: Readonly<Record<string, string>>): NodeJS.ProcessEnv {
  const inherited = Object.entries(process.env).filter(([name]) => !OURS.includes(name));
  return { ...Object.fromEntries(inherited), ...more };
}

/** Signals all processes of a group that are left. */
export function signalGroup(pid: number | undefined, signal: NodeJS.Signals): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, signal);
  } catch {
    // None is left.
  }
}
