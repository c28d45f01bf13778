/**
 * A bound on how much happens at once: some run, some wait for their turn, the rest are refused at once; long work in
 * steps gives way to others.
 */
import { setImmediate as nextRound } from 'node:timers/promises';

/** What a task asks for. */
interface SlotRequest {
  /** WorkSlots that it holds while it runs; more than there are counts as all of them. 1 by default. */
  readonly count?: number;
  /** The task that costs least goes first, so that an expensive one makes nobody else wait; 0 by default. */
  readonly cost?: number;
  /** Ends the wait. */
  readonly signal?: AbortSignal;
}

/** A number of equal things (cores, turns) that tasks hold while they run: a counting semaphore. */
export interface WorkSlots {
  /**
   * Waits for slots and returns what gives them back (calling it again does nothing). Resolves to undefined at once
   * where too many wait already, and when the signal aborts.
   */
  acquire(request?: SlotRequest): Promise<(() => void) | undefined>;
  /** Runs `task` once it has its slots, of slots that any number may wait for. */
  use<T>(task: () => Promise<T>, request?: Omit<SlotRequest, 'signal'>): Promise<T>;
}

interface Waiter {
  readonly count: number;
  readonly cost: number;
  readonly start: () => void;
}

/** Makes `total` slots, for which at most `waiting` callers wait; those of equal cost are served in the order of asking. */
export function createSlots(
  total: number,
  { waiting = Number.POSITIVE_INFINITY }: { readonly waiting?: number } = {},
): WorkSlots {
  let free = total;
  /** The next one first. */
  const queue: Waiter[] = [];

  const hold = (count: number) => {
    let held = true;
    free -= count;
    return () => {
      if (!held) return;
      held = false;
      free += count;
      startNext();
    };
  };

  function startNext(): void {
    for (let next = queue[0]; next !== undefined && next.count <= free; next = queue[0]) {
      queue.shift();
      next.start();
    }
  }

  async function acquire({ count: wanted = 1, cost = 0, signal }: SlotRequest = {}) {
    if (signal?.aborted) return undefined;
    const count = Math.min(wanted, total);
    if (queue.length === 0 && count <= free) return hold(count);
    if (queue.length >= waiting) return undefined;
    return new Promise<(() => void) | undefined>((resolve) => {
      const leave = () => {
        queue.splice(queue.indexOf(waiter), 1);
        resolve(undefined);
        startNext();
      };
      const start = () => {
        signal?.removeEventListener('abort', leave);
        resolve(hold(count));
      };
      const waiter = { count, cost, start };
      const behind = queue.findIndex((each) => each.cost > cost);
      queue.splice(behind < 0 ? queue.length : behind, 0, waiter);
      signal?.addEventListener('abort', leave, { once: true });
    });
  }

  return {
    acquire,
    async use(task, request) {
      const release = await acquire(request);
      try {
        return await task();
      } finally {
        release?.();
      }
    },
  };
}

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
