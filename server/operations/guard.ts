/** Who may ask, and how often: the check that every request but a probe passes, and the address that it counts. */
import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import { ipKeyGenerator, MemoryStore, type Options } from 'express-rate-limit';
import { HttpProblem } from '../../lib/http/problems.js';
import type { Access } from './access.js';

/** Who sent a request. */
interface Sender {
  readonly address: string;
  /** The header of this name. */
  readonly authorization: string | undefined;
}

/** Lets a request pass. @throws {HttpProblem} 429 or 401 where it may not */
export type Guard = (sender: () => Sender) => Promise<void>;

/** Makes a guard. Without a limit, and open to all, it asks for no sender. */
export function createGuard({
  access,
  rateLimit,
}: {
  readonly access: Access;
  readonly rateLimit?: RateLimit | undefined;
}): Guard {
  return async (sender) => {
    if (rateLimit === undefined && access.isOpen) return;
    const { address, authorization } = sender();
    await rateLimit?.count(address);
    if (!access.isOpen && !access.allows(authorization))
      throw new HttpProblem(401, 'Expected credentials, found none that are known.', {
        headers: { 'WWW-Authenticate': access.challenge },
      });
  };
}

/** The address of the client that sent an HTTP request. */
export function clientAddress({ socket, headers }: IncomingMessage, proxies: number): string {
  const header = headers['x-forwarded-for'];
  const forwardedFor = Array.isArray(header) ? header.join(',') : header;
  return addressBefore(proxies, { direct: socket.remoteAddress, forwardedFor });
}

/** The client's address: `proxies` hops before the one that connected, as `X-Forwarded-For` tells. */
export function addressBefore(
  proxies: number,
  {
    direct = 'unknown',
    forwardedFor = '',
  }: { readonly direct: string | undefined; readonly forwardedFor: string | undefined },
): string {
  if (proxies === 0) return direct;
  const forwarded = forwardedFor.split(',').map((each) => each.trim());
  const chain = [...forwarded.filter((each) => each !== ''), direct];
  return chain[Math.max(0, chain.length - 1 - proxies)] ?? direct;
}

/**
 * Who shares limits with an address: an IPv4 address alone, however it is written; of IPv6 all of a network (/56), which
 * one client may have for itself. Some proxies tell ports, too.
 */
export function networkOf(address: string): string {
  const host = /^\[(.+)\](?::\d+)?$|^([\d.]+):\d+$/.exec(address);
  const bare = host?.[1] ?? host?.[2] ?? address;
  return isIP(bare) === 0 ? address : ipKeyGenerator(bare);
}

const WINDOW_MS = 60_000;

/** Counts requests. */
export interface RateLimit {
  /** Counts one of `address`. @throws {HttpProblem} 429 with the seconds to wait, when it is one too many */
  count(address: string): Promise<void>;
  close(): void;
}

/** Allows each client `perMinute` requests a minute. */
export function createRateLimit(perMinute: number): RateLimit {
  const store = new MemoryStore();
  store.init({ windowMs: WINDOW_MS } as Options);
  return {
    async count(address) {
      const { totalHits, resetTime } = await store.increment(networkOf(address));
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
