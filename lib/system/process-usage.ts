/** What another process takes, as Linux tells it; nothing elsewhere. */
import { readFileSync } from 'node:fs';

/** What a process has taken of the processor until now, and takes of memory. */
export interface ProcessUsage {
  readonly cpuMs: number;
  readonly residentBytes: number;
}

const TICK_MS = 10;
const PAGE_BYTES = 4_096;

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
  // Its user and system time, and its resident pages.
  const [user = 0, system = 0, pages = 0] = [14, 15, 24].map((field) => Number(stat[field - 3] ?? 0));
  return { cpuMs: (user + system) * TICK_MS, residentBytes: pages * PAGE_BYTES };
}
