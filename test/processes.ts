/** What tests ask of processes: whether they run, where one is to be killed, how much memory they hold, where they may listen. */
import { readdirSync, readFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { KillPoint } from './programs/kill-at.js';

/** A port of this machine on which nobody listens. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Whether a process is there; one that has ended and waits for its parent is not. */
export function isRunning(pid: number): boolean {
  return !['', 'Z', 'X'].includes(stateOf(pid));
}

/** Whether SIGSTOP has halted a process. */
export function isStopped(pid: number): boolean {
  return stateOf(pid) === 'T';
}

/** Whether SIGSTOP has halted all of a process group: each thread finishes first what it has asked of the system. */
export function isGroupStopped(group: number): boolean {
  const threads = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && statOf(name)[2] === `${group}`)
    .flatMap((pid) => threadsOf(pid));
  return threads.every((thread) => ['', 'T', 'Z', 'X'].includes(stateOf(thread)));
}

function threadsOf(pid: string): readonly string[] {
  try {
    return readdirSync(`/proc/${pid}/task`).map((thread) => `${pid}/task/${thread}`);
  } catch {
    return [];
  }
}

/** Its letter in proc(5): R running, S sleeping, T stopped, Z ended, …; empty where there is no such process. */
const stateOf = (pid: number | string): string => statOf(pid)[0] ?? '';

/** What a process has used so far: processor time, and pages of memory that the system had to give it. */
export function usageOf(pid: number): { readonly seconds: number; readonly pages: number } {
  const stat = statOf(pid).map(Number);
  const [pages = Number.NaN, , , , user = Number.NaN, system = Number.NaN] = stat.slice(7);
  return { seconds: (user + system) / TICKS, pages };
}

/** Of processor time, in a second. */
const TICKS = 100;

/** From its state on: that, the parent, the process group, …; empty where there is no such process. */
function statOf(pid: number | string): readonly string[] {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  } catch {
    return [];
  }
}

/** The running processes whose command line contains `text`. */
export function runningWith(text: string): readonly number[] {
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => Number.isInteger(pid) && pid !== process.pid && isRunning(pid))
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(text);
      } catch {
        return false;
      }
    });
}

const KILLER = fileURLToPath(new URL('./programs/kill-at.js', import.meta.url));

/** The environment in which a program, or one that it starts, is killed there. */
export function killedAt(point: KillPoint): Readonly<Record<string, string>> {
  return { NODE_OPTIONS: `--import=${KILLER}`, FEDBATCH_TEST_KILL: JSON.stringify(point) };
}

/** The environment in which a program halts there as if by SIGSTOP, until it is told to go on. */
export const haltedAt = (point: Omit<KillPoint, 'signal'>) => killedAt({ ...point, signal: 'SIGSTOP' });

/** A reading that falls by less is the last one. */
const SETTLED_MB = 0.5;
const MOST_READINGS = 30;

/**
 * Memory of this process in MB. Native memory goes by finalizers and sweeping threads, some time after the garbage
 * collection that finds it unused, later the busier the machine is: so it is read until it falls no further.
 */
export async function memoryMb(): Promise<number> {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  let least = Number.POSITIVE_INFINITY;
  for (let reading = 0; reading < MOST_READINGS; reading++) {
    collect();
    await delay(10);
    const found = process.memoryUsage().rss / 2 ** 20;
    if (found > least - SETTLED_MB && reading > 1) return Math.min(found, least);
    least = Math.min(found, least);
  }
  return least;
}

/** The slope of readings taken at equal distances: the median of those of all pairs, which no single reading moves. */
export function trend(readings: readonly number[]): number {
  const slopes = readings.flatMap((from, at) =>
    readings.slice(at + 1).map((to, steps) => (to - from) / (steps + 1)),
  );
  slopes.sort((a, b) => a - b);
  return ((slopes[(slopes.length - 1) >> 1] ?? 0) + (slopes[slopes.length >> 1] ?? 0)) / 2;
}
