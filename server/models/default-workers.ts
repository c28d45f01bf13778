/** How many workers hold a model where nobody says. */
import { availableCores } from '../../lib/system/cores.js';

/** More workers than this take memory and seldom help: requests are read by one thread. */
const MOST_WORKERS = 4;

/** Workers where nobody says how many: a core is left to the thread that speaks HTTP. */
export function defaultWorkers(): number {
  return Math.max(1, Math.min(MOST_WORKERS, availableCores() - 1));
}
