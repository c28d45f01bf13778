/** Which client a request is from, where trusted proxies stand between. */
import type { IncomingMessage } from 'node:http';

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
