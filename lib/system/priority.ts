/** Who goes first where the processor has more to do than it can: work that may take its time gives way. */
import { constants, setPriority } from 'node:os';

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
