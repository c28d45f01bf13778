/** Asks the API server again where the answer may be better the next time, as politely as it asks for. */
import { InterruptedError } from '../../lib/core/errors.js';
import { pause } from '../../lib/system/abort.js';
import { isPassing, isUnreachable, readFailure } from './api-errors.js';

/** Seconds for which a server may be gone before the run gives up: a control plane that restarts needs about one minute. */
export const PATIENCE_MS = 120_000;
/** And one that has not answered yet: who has just typed a command is told soon. */
export const FIRST_PATIENCE_MS = 5_000;
const FIRST_WAIT_MS = 250;
const LONGEST_WAIT_MS = 10_000;

/** Waits that become longer. */
interface Backoff {
  /** Milliseconds to wait after this failure: as many as the server says (Retry-After), else twice those of the last time. */
  after(error: unknown): number;
  /** Something went well: begins anew. */
  reset(): void;
}

/** Waits from `firstMs` on, which double up to `longestMs`. */
export function createBackoff({
  firstMs,
  longestMs,
}: {
  readonly firstMs: number;
  readonly longestMs: number;
}): Backoff {
  let nextMs = firstMs;
  return {
    after(error) {
      const { retryAfterSeconds } = readFailure(error);
      const waitMs = nextMs;
      nextMs = Math.min(longestMs, 2 * nextMs);
      return retryAfterSeconds === undefined ? waitMs : retryAfterSeconds * 1000;
    },
    reset() {
      nextMs = firstMs;
    },
  };
}

/** How to ask. */
interface RetryOptions {
  readonly signal: AbortSignal;
  /** Told once for each series of failures. */
  readonly onTrouble?: (error: unknown) => void;
  /** For how long to ask again after such a failure. */
  readonly patienceMs?: (error: unknown) => number;
}

/**
 * The result of `request`, which is made again after a failure that may pass: after as long as the server says
 * (Retry-After), else after waits that double.
 *
 * @throws {InterruptedError} when `signal` aborts
 */
export async function withRetries<T>(request: () => Promise<T>, options: RetryOptions): Promise<T> {
  const { signal, onTrouble, patienceMs = () => PATIENCE_MS } = options;
  const startedAt = Date.now();
  const backoff = createBackoff({ firstMs: FIRST_WAIT_MS, longestMs: LONGEST_WAIT_MS });
  for (let attempt = 0; ; attempt++) {
    try {
      return await request();
    } catch (error) {
      if (signal.aborted) throw new InterruptedError();
      const waitMs = backoff.after(error);
      if (!isPassing(error) || Date.now() + waitMs > startedAt + patienceMs(error)) throw error;
      // One answer that is lost is not worth a word; a server that is not there does not come back at once.
      if (attempt === (isUnreachable(error) ? 0 : 1)) onTrouble?.(error);
      await pause(waitMs, signal);
    }
  }
}
