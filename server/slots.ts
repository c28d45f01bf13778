/** A bound on how much happens at once: some run, some wait their turn, the rest are told so at once. */

/** Gives out turns; at most `running` are held at a time and at most `waiting` callers wait for one. */
export interface WorkSlots {
  /**
   * Waits for a turn and returns what gives it back (calling it again does nothing).
   * Resolves to undefined at once where too many wait already, or when `signal` aborts the wait.
   *
   * @param cost who costs less goes first, so that one who costs much makes nobody else wait; 0 by default
   */
  acquire(signal?: AbortSignal, cost?: number): Promise<(() => void) | undefined>;
}

/** Makes slots; turns of one cost are given in the order of asking. */
export function createSlots({
  running,
  waiting,
}: {
  readonly running: number;
  readonly waiting: number;
}): WorkSlots {
  let free = running;
  /** Who waits, with their cost. */
  const queue = new Map<() => void, number>();

  const hold = () => {
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      const least = Math.min(...queue.values());
      const [next] = [...queue].find(([, cost]) => cost === least) ?? [];
      if (next === undefined) free++;
      else next();
    };
  };

  return {
    async acquire(signal, cost = 0) {
      if (signal?.aborted) return undefined;
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
          signal?.removeEventListener('abort', leave);
          resolve(hold());
        };
        queue.set(enter, cost);
        signal?.addEventListener('abort', leave, { once: true });
      });
    },
  };
}
