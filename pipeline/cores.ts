/** How trainers share the cores of this machine: threads of each, and a budget that is never exceeded. */

/** How much faster a training step is on T threads, as an exponent: 1.64× on 2 threads were measured. */
const THREAD_SPEEDUP = 0.7;

/**
 * Threads of each trainer: the number with which `clients` equal trainings on `cores` cores are done soonest, in waves
 * of as many as fit beside each other. It depends on nothing else, and is recorded with the run: another number of
 * threads sums in another order, and the last bits of a model would differ.
 */
export function planThreads({
  clients,
  cores,
}: {
  readonly clients: number;
  readonly cores: number;
}): number {
  const candidates = Array.from({ length: cores }, (_, index) => index + 1);
  const duration = (threads: number) =>
    Math.ceil(clients / Math.floor(cores / threads)) / threads ** THREAD_SPEEDUP;
  return candidates.reduce((best, threads) => (duration(threads) < duration(best) ? threads : best), 1);
}

/** A number of equal things (cores, slots) that tasks hold while they run. */
export interface Budget {
  /** Runs `task` as soon as `count` are free, first come first served; more than there are counts as all. */
  use<T>(count: number, task: () => Promise<T>): Promise<T>;
}

/** A budget of `total` things: a counting semaphore. */
export function createBudget(total: number): Budget {
  let free = total;
  const waiting: { readonly count: number; readonly start: () => void }[] = [];
  const startNext = () => {
    for (let next = waiting[0]; next !== undefined && next.count <= free; next = waiting[0]) {
      waiting.shift();
      free -= next.count;
      next.start();
    }
  };
  return {
    async use(wanted, task) {
      const count = Math.min(wanted, total);
      await new Promise<void>((start) => {
        waiting.push({ count, start });
        startNext();
      });
      try {
        return await task();
      } finally {
        free += count;
        startNext();
      }
    },
  };
}
