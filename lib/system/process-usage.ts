/** What another process takes, as Linux tells it; nothing elsewhere. */
import { readFileSync } from 'node:fs';

/** What a process has taken of the processor until now, and takes of memory. */
export interface ProcessUsage {
  readonly cpuMs: number;
  readonly residentBytes: number;
}

const TICK_MS = 10;
const PAGE_BYTES = 4_096;

/** Of a process by its id; zeros where it is gone, or where there is no /proc. */
export function usageOfProcess(pid: number | undefined): ProcessUsage {
  let stat = '';
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  } catch {
    // Gone, or of another system.
  }
  // Behind the name, which may hold spaces: state is field 3, user and system time 14 and 15, resident pages 24.
  const fields = stat
    .slice(stat.lastIndexOf(')') + 2)
    .split(' ')
    .map(Number);
  const [user = 0, system = 0, pages = 0] = [fields[11], fields[12], fields[21]];
  return { cpuMs: (user + system) * TICK_MS, residentBytes: pages * PAGE_BYTES };
}
