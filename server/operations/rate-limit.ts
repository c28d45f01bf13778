/** How often one client may ask: a count for each address that starts anew every minute. */
import { isIP } from 'node:net';
import { ipKeyGenerator, MemoryStore, type Options } from 'express-rate-limit';
import { HttpProblem } from '../problems.js';

const WINDOW_MS = 60_000;

/** Counts requests. */
export interface RateLimit {
  /** Counts one of `address`. @throws {HttpProblem} 429 with the seconds to wait, when it is one too many */
  count(address: string): Promise<void>;
  close(): void;
}

/** Allows each client `perMinute` requests a minute. A network that hands out many IPv6 addresses is one client. */
export function createRateLimit(perMinute: number): RateLimit {
  const store = new MemoryStore();
  store.init({ windowMs: WINDOW_MS } as Options);
  return {
    async count(address) {
      const { totalHits, resetTime } = await store.increment(
        isIP(address) === 0 ? address : ipKeyGenerator(address),
      );
      if (totalHits <= perMinute) return;
      const seconds = Math.max(1, Math.ceil(((resetTime?.getTime() ?? Date.now()) - Date.now()) / 1000));
      throw new HttpProblem(
        429,
        `At most ${perMinute} requests a minute are answered; try again in ${seconds} s.`,
        {
          headers: { 'Retry-After': String(seconds) },
        },
      );
    },
    close: () => store.shutdown(),
  };
}
