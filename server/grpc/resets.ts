/** Clients that begin calls and take them back in the same breath (CVE-2023-44487, "rapid reset"): it costs them nothing, and here next to nothing. */
import type { Http2Server, Http2Session, IncomingHttpHeaders, ServerHttp2Stream } from 'node:http2';
import type { Server } from '@grpc/grpc-js';

/** So many calls of a connection may be taken back before anybody has looked at them: honest clients hardly ever do it once. */
const MOST_TAKEN_BACK = 100;
/** For so long nobody at an address that took back more is listened to. */
const PENALTY_MS = 10_000;

type StreamListener = (stream: ServerHttp2Stream, headers: IncomingHttpHeaders, flags: number) => void;

/**
 * Lets calls that are taken back before anybody has looked at them go by, and ends the connections of those who send many: HTTP/2 alone would answer
 * a thousand for each connection, and then leave it open. Of addresses that are proxies' the connection alone is ended.
 */
export function refuseResets(server: Server, { trustedProxies }: { readonly trustedProxies: number }): void {
  const refused = new Set<string>();
  const takenBack = new WeakMap<Http2Session, number>();

  function end(session: Http2Session): void {
    const address = session.socket.remoteAddress;
    session.destroy();
    if (trustedProxies > 0 || address === undefined) return;
    refused.add(address);
    setTimeout(() => refused.delete(address), PENALTY_MS).unref();
  }

  for (const http2Server of listenersOf(server)) {
    http2Server.on('session', (session) => {
      if (refused.has(session.socket.remoteAddress ?? '')) session.destroy();
    });
    const handlers = http2Server.listeners('stream') as unknown as readonly StreamListener[];
    http2Server.removeAllListeners('stream');
    http2Server.on('stream', (stream, headers, flags) => {
      const { session } = stream;
      stream.on('error', () => undefined);
      // By the next round all that came with a call has been read.
      setImmediate(() => {
        const isTakenBack = stream.closed || stream.destroyed;
        if (!isTakenBack) for (const handle of handlers) handle(stream, headers, flags);
        if (!isTakenBack || session === undefined || session.destroyed) return;
        const count = (takenBack.get(session) ?? 0) + 1;
        takenBack.set(session, count);
        if (count > MOST_TAKEN_BACK) end(session);
      });
    });
  }
}

/** The servers of HTTP/2 below a bound server of gRPC, which keeps them to itself. */
function listenersOf(server: Server): readonly Http2Server[] {
  const { http2Servers } = server as unknown as { readonly http2Servers: ReadonlyMap<Http2Server, unknown> };
  return [...http2Servers.keys()];
}
