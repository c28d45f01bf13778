/** Long work in steps, between which the event loop serves others. */
import { setImmediate as nextRound } from 'node:timers/promises';

/** Work of less time holds up nobody. */
const UNBROKEN_MS = 2;

/** Does the work to its end; where it takes long, others go on after each of its steps. */
export async function inSteps<T>(work: Iterator<void, T>): Promise<T> {
  let since = performance.now();
  for (;;) {
    const step = work.next();
    if (step.done === true) return step.value;
    if (performance.now() - since < UNBROKEN_MS) continue;
    await nextRound();
    since = performance.now();
  }
}
