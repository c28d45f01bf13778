/** A bound on how much happens at once: some run, some wait their turn, the rest are told so at once. */

/** Gives out turns; at most `running` are held at a time and at most `waiting` callers wait for one. */
export interface Slots {
  /**
   * Waits for a turn and returns what gives it back (calling it again does nothing).
   * Resolves to undefined at once where too many wait already, or when `signal` aborts the wait.
   */
  acquire(signal: AbortSignal): Promise<(() => void) | undefined>;
}

/** Makes slots; turns are given in the order of asking. */
export function createSlots({
  running,
  waiting,
}: {
  readonly running: number;
  readonly waiting: number;
}): Slots {
  let free = running;
  const queue = new Set<() => void>();

  const hold = () => {
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      const [next] = queue;
      if (next === undefined) free++;
      else next();
    };
  };

  return {
    async acquire(signal) {
      if (signal.aborted) return undefined;
      if (free > 0) {
        free--;
        return hold();
      }
      if (queue.size >= waiting) return undefined;
      return new Promise((resolve) => {
        const leave = () => {
          queue.delete(enter);
          resolve(undefined);
        };
        const enter = () => {
          queue.delete(enter);
          signal.removeEventListener('abort', leave);
          resolve(hold());
        };
        queue.add(enter);
        signal.addEventListener('abort', leave, { once: true });
      });
    },
  };
}
