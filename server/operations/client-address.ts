/** Which client a request is from, where trusted proxies stand between. */
import type { IncomingMessage } from 'node:http';

/** The client's address: `proxies` hops before the one that connected, as `X-Forwarded-For` tells. */
export function clientAddress(request: IncomingMessage, proxies: number): string {
  const direct = request.socket.remoteAddress ?? 'unknown';
  if (proxies === 0) return direct;
  const header = request.headers['x-forwarded-for'];
  const forwarded = (Array.isArray(header) ? header.join(',') : (header ?? ''))
    .split(',')
    .map((each) => each.trim());
  const chain = [...forwarded.filter((each) => each !== ''), direct];
  return chain[Math.max(0, chain.length - 1 - proxies)] ?? direct;
}
