/** What tests ask of processes that are not their own children. */
import { readdirSync, readFileSync } from 'node:fs';

/** Whether a process is there; one that has ended and waits for its parent is not. */
export function isRunning(pid: number): boolean {
  return !['', 'Z', 'X'].includes(stateOf(pid));
}

/** Whether SIGSTOP has halted a process. */
export function isStopped(pid: number): boolean {
  return stateOf(pid) === 'T';
}

/** Its letter in proc(5): R running, S sleeping, T stopped, Z ended, …; empty where there is no such process. */
function stateOf(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.charAt(stat.lastIndexOf(')') + 2);
  } catch {
    return '';
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
