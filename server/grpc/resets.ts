/** Clients that begin calls and take them back in the same breath (CVE-2023-44487, "rapid reset"): it costs them nothing, and here next to nothing. */
import type { Http2Server, Http2Session, IncomingHttpHeaders, ServerHttp2Stream } from 'node:http2';
import type { Socket } from 'node:net';
import type { Server } from '@grpc/grpc-js';
import { networkOf } from '../operations/guard.js';

/**
 * So many calls of a connection may be taken back within a second before anybody has looked at them: honest clients hardly
 * ever do it once. Each costs the event loop 50 µs, and many connections may begin so at the same time.
 */
const MOST_TAKEN_BACK = 20;
const WINDOW_MS = 1_000;
/** For so long nobody new at an address that took back more is listened to. */
const PENALTY_MS = 10_000;
/** Who comes from there meanwhile waits so long before it is hung up on: it would be here again at once. */
const HOLD_MS = 1_000;
const MOST_HELD = 256;

type StreamListener = (stream: ServerHttp2Stream, headers: IncomingHttpHeaders, flags: number) => void;
type ConnectionListener = (this: Http2Server, socket: Socket) => void;

/** What a connection has done so far. */
interface Calls {
  readonly network: string;
  /** Within a window, which began at `since`. */
  takenBack: number;
  since: number;
  /** The call before, while nobody has looked at it. */
  last?: ServerHttp2Stream | undefined;
}

/**
 * Lets calls that are taken back before anybody has looked at them go by, and ends the connections of those who send many:
 * HTTP/2 alone would answer a thousand for each connection, and then leave it open. Of addresses that are proxies' the
 * connection alone is ended.
 */
export function refuseResets(server: Server, { trustedProxies }: { readonly trustedProxies: number }): void {
  /** Networks. */
  const refused = new Set<string>();
  const callsOf = new WeakMap<Http2Session, Calls>();
  let heldCount = 0;

  function end(session: Http2Session, { network }: Calls): void {
    session.destroy();
    if (trustedProxies > 0 || network === '' || refused.has(network)) return;
    refused.add(network);
    setTimeout(() => refused.delete(network), PENALTY_MS).unref();
  }

  /** Keeps a connection without reading from it. */
  function hold(socket: Socket): void {
    socket.on('error', () => undefined);
    if (heldCount >= MOST_HELD) return void socket.destroy();
    heldCount++;
    const over = setTimeout(() => socket.destroy(), HOLD_MS).unref();
    socket.once('close', () => {
      clearTimeout(over);
      heldCount--;
    });
  }

  /** Counts a call that was taken back; true where its connection has been ended for it. */
  function isTooMany(session: Http2Session, calls: Calls): boolean {
    const now = performance.now();
    if (now - calls.since > WINDOW_MS) Object.assign(calls, { takenBack: 0, since: now });
    const most = refused.has(calls.network) ? 0 : MOST_TAKEN_BACK;
    if (++calls.takenBack <= most) return false;
    end(session, calls);
    return true;
  }

  for (const http2Server of listenersOf(server)) {
    const connected = http2Server.listeners('connection') as unknown as readonly ConnectionListener[];
    http2Server.removeAllListeners('connection');
    http2Server.on('connection', (socket: Socket) => {
      if (refused.has(networkOf(socket.remoteAddress ?? ''))) hold(socket);
      else for (const listener of connected) listener.call(http2Server, socket);
    });

    const handlers = http2Server.listeners('stream') as unknown as readonly StreamListener[];
    http2Server.removeAllListeners('stream');
    http2Server.on('stream', (stream, headers, flags) => {
      const { session } = stream;
      stream.on('error', () => undefined);
      if (session === undefined || session.destroyed) return;
      const calls: Calls = callsOf.get(session) ?? {
        network: networkOf(session.socket.remoteAddress ?? ''),
        ...{ takenBack: 0, since: 0 },
      };
      callsOf.set(session, calls);
      // Thousands may come in one piece: the one before shows what they are.
      const { last } = calls;
      calls.last = stream;
      if (last !== undefined && isOver(last) && isTooMany(session, calls)) return;
      // By the next round all that came with a call has been read.
      setImmediate(() => {
        const isLast = calls.last === stream;
        if (isLast) calls.last = undefined;
        if (!isOver(stream)) for (const handle of handlers) handle(stream, headers, flags);
        else if (isLast && !session.destroyed) isTooMany(session, calls);
      });
    });
  }
}

const isOver = (stream: ServerHttp2Stream): boolean => stream.closed || stream.destroyed;

/** The servers of HTTP/2 below a bound server of gRPC, which keeps them to itself. */
function listenersOf(server: Server): readonly Http2Server[] {
  const { http2Servers } = server as unknown as { readonly http2Servers: ReadonlyMap<Http2Server, unknown> };
  return [...http2Servers.keys()];
}
