/** Waiting that can be stopped, and signals that many tasks share: none of it leaves a timer or a listener behind. */
import { setMaxListeners } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { InterruptedError } from '../core/errors.js';
import { timerMs } from '../core/timers.js';

/**
 * A signal to which so many tasks listen at a time, by default any number. Node takes more than ten for a leak, and says
 * so; a signal whose listeners have a bound keeps that warning.
 */
export function forMany(signal: AbortSignal, listeners = 0): AbortSignal {
  setMaxListeners(listeners, signal);
  return signal;
}

/** How long something may take, and what ends it before. */
interface Limits {
  readonly ms: number;
  readonly signal: AbortSignal;
}

/** Waits. @throws {InterruptedError} when `signal` aborts */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(timerMs(ms), undefined, { signal }).catch(() => {
    throw new InterruptedError();
  });
}

/** Nothing came in time. */
export class TimeLimitError extends Error {}

/**
 * The result of `work`, which is given a signal of its own to stop by: many do, one after the other, under one `signal`.
 * Its `goOn` has the time begin anew.
 *
 * @throws the reason of `signal` as soon as that aborts
 * @throws {TimeLimitError} after `ms`
 */
export async function within<T>(
  { ms, signal }: Limits,
  work: (over: AbortSignal, goOn: () => void) => Promise<T>,
): Promise<T> {
  const own = new AbortController();
  const stop = () => own.abort(signal.reason);
  const late = () => own.abort(new TimeLimitError(`no answer within ${ms / 1000} s`));
  const timer = setTimeout(late, ms);
  signal.addEventListener('abort', stop, { once: true });
  if (signal.aborted) stop();
  try {
    own.signal.throwIfAborted();
    const over = new Promise<never>((_, reject) => {
      own.signal.addEventListener('abort', () => reject(own.signal.reason), { once: true });
    });
    return await Promise.race([work(own.signal, () => timer.refresh()), over]);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', stop);
  }
}

/** Wakes one waiter; a ring that nobody waits for is heard by the next wait. */
interface Bell {
  ring(): void;
  /** Resolves at a ring, at the latest after `ms`. @throws {InterruptedError} when `signal` aborts */
  wait(limits: Limits): Promise<void>;
}

/** A bell. */
export function createBell(): Bell {
  let rung = new AbortController();
  const ring = () => rung.abort();
  return {
    ring,
    async wait({ ms, signal }) {
      signal.addEventListener('abort', ring, { once: true });
      if (signal.aborted) ring();
      await sleep(ms, undefined, { signal: rung.signal }).catch(() => undefined);
      signal.removeEventListener('abort', ring);
      if (signal.aborted) throw new InterruptedError();
      rung = new AbortController();
    },
  };
}
