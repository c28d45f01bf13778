/**
 * Listens for connections with timeouts, lets the rest of refused bodies go by, and stops without cutting off who is
 * being answered.
 */
import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { UsageError } from '../core/errors.js';
import { errorCode } from '../core/system-errors.js';

/** A certificate with its chain, and its key, in PEM. */
export interface TlsFiles {
  readonly cert: Uint8Array;
  readonly key: Uint8Array;
}

/** Where to listen and until when. */
export interface ListenOptions {
  /** Address or name of an interface of this machine. */
  readonly host: string;
  /** TCP port; 0 picks a free one. */
  readonly port: number;
  /** For HTTPS. */
  readonly tls?: TlsFiles;
  /** How long a client may take for the head of a request. */
  readonly headersTimeoutMs?: number;
  /** The flags that choose others, for messages; `--port` and `--host` where nothing is said. */
  readonly flags?: AddressFlags;
}

/** The flags that choose a port and an address. */
export interface AddressFlags {
  readonly port: string;
  readonly host: string;
}

/** A server that accepts connections. */
export interface RunningServer {
  /** E.g. `http://127.0.0.1:5000`. */
  readonly url: string;
  /** Stops accepting, lets running requests finish within the grace period, then closes what is left. */
  close(): Promise<void>;
}

const OWN_FLAGS: AddressFlags = { port: '--port', host: '--host' };
/** Slow or silent clients are let go: headers within 10 s, a whole request within 30 s. */
const HEADERS_TIMEOUT_MS = 10_000;
export const REQUEST_TIMEOUT_MS = 30_000;
const KEEP_ALIVE_TIMEOUT_MS = 10_000;
const TIMEOUT_CHECK_INTERVAL_MS = 2_000;
/** Who goes on sending after the answer has time to read it. */
export const LINGER_MS = 2_000;
/** Running requests may finish for this long: less than the program's own grace, and than Kubernetes' 30 s. */
const DRAIN_MS = 4_000;
const DRAIN_CHECK_INTERVAL_MS = 50;

/** Listens. @throws {UsageError} when the port is taken or the address is not this machine's. */
export async function listenAt(
  app: RequestListener,
  { host, port, tls, headersTimeoutMs = HEADERS_TIMEOUT_MS, flags = OWN_FLAGS }: ListenOptions,
): Promise<RunningServer> {
  const timeouts = {
    headersTimeout: headersTimeoutMs,
    requestTimeout: REQUEST_TIMEOUT_MS,
    keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
    connectionsCheckingInterval: Math.min(TIMEOUT_CHECK_INTERVAL_MS, headersTimeoutMs),
  };
  const listener: RequestListener = (request, response) => {
    // Before Node itself does something about a body that was not read to its end.
    response.once('prefinish', () => {
      if (!request.complete) discard(request);
    });
    response.once('finish', () => linger(request));
    app(request, response);
  };
  const server =
    tls === undefined
      ? withHalfOpen(createServer(timeouts, listener))
      : createTlsServer({ ...timeouts, ...asSecure(tls), handshakeTimeout: headersTimeoutMs }, listener);
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause) => reject(listenProblem(cause, { host, port, flags })));
    server.listen({ host, port }, resolve);
  });
  // A connection that could not be accepted is its client's loss alone.
  server.on('error', () => undefined);
  const scheme = tls === undefined ? 'http' : 'https';
  return { url: `${scheme}://${addressOf(server)}`, close: () => drain(server, sockets) };
}

function asSecure({ cert, key }: TlsFiles) {
  return { cert: Buffer.from(cert), key: Buffer.from(key), minVersion: 'TLSv1.2' } as const;
}

/**
 * Who sends a whole request and closes that side of the connection waits for its answer all the same; without this switch,
 * which Node's types do not know, the server hangs up. By TLS nobody closes one side only.
 */
function withHalfOpen(server: Server): Server {
  return Object.assign(server, { httpAllowHalfOpen: true });
}

/**
 * Ends a connection whose request was answered before it was whole, and goes on. To close it at once would have the answer
 * thrown away unread, since more has arrived than was read (RFC 9112, 9.6).
 */
function linger(request: IncomingMessage): void {
  if (request.complete) return;
  const late = setTimeout(() => {
    if (!request.complete) request.socket.destroy();
  }, LINGER_MS);
  request.once('close', () => clearTimeout(late));
}

async function drain(server: Server, sockets: ReadonlySet<Socket>): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  // Browsers open connections ahead; by TLS, Node takes those on which nothing was ever said for busy.
  for (const socket of sockets) if (socket.bytesRead === 0) socket.destroy();
  // A connection that was busy when closing began falls idle later and would stay open for its keep-alive time.
  const sweep = setInterval(() => server.closeIdleConnections(), DRAIN_CHECK_INTERVAL_MS);
  // All that are left, and not only those that speak HTTP already: a client may have stopped in the middle of TLS' hello.
  const cut = setTimeout(() => {
    for (const socket of sockets) socket.destroy();
  }, DRAIN_MS);
  await closed;
  clearInterval(sweep);
  clearTimeout(cut);
}

function addressOf(server: Server): string {
  const { address, family, port } = server.address() as AddressInfo;
  return `${family === 'IPv6' ? `[${address}]` : address}:${port}`;
}

/** Which port could not be had. */
interface WantedPort extends Pick<ListenOptions, 'host' | 'port'> {
  readonly flags: AddressFlags;
}

/** Why an address or port cannot be had, as a sentence where the user can do something about it. */
export function listenProblem(cause: unknown, { host, port, flags }: WantedPort): unknown {
  // gRPC's error has no code: it tells those of all addresses in its message.
  const code = errorCode(cause) || /\bE[A-Z]{4,}\b/.exec(String(cause))?.[0];
  switch (code) {
    case 'EADDRINUSE':
      return new UsageError(
        `Port ${port} on ${host} is in use by another program; choose another with ${flags.port} (0 picks a free one).`,
        { cause },
      );
    case 'EACCES':
      return new UsageError(
        `Port ${port} may not be opened by this user; choose one above 1023 with ${flags.port}.`,
        { cause },
      );
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return new UsageError(`${host} is not an address of this machine; choose another with ${flags.host}.`, {
        cause,
      });
    default:
      return cause;
  }
}

/** So much is read at once: the rest of a small body belongs to a connection that goes on. */
const FREE_BYTES = 65_536;
/** Of all that is beyond, a part of about 64 KB every so often: 13 MB a second, and a few hundredths of a core. */
const PART_EVERY_MS = 5;

/** Of all servers: the loop whose time they share is one. */
const waiting: IncomingMessage[] = [];
let timer: NodeJS.Timeout | undefined;

function readNext(): void {
  waiting.shift()?.resume();
  if (waiting.length > 0) return;
  clearInterval(timer);
  timer = undefined;
}

/**
 * Lets the rest of a body go by, slowly: a client that sends it in one piece before it reads its answer (RFC 9112, 9.6)
 * comes to its end, and many who send much are not served by it. Whoever was reading the body hears no more of it.
 */
function discard(request: IncomingMessage): void {
  request.removeAllListeners('data').removeAllListeners('readable');
  // Node reads at once what nobody has begun to read.
  request.read(0);
  let length = 0;
  request.on('data', ({ length: more }: Buffer) => {
    length += more;
    if (length <= FREE_BYTES) return;
    request.pause();
    waiting.push(request);
    timer ??= setInterval(readNext, PART_EVERY_MS).unref();
  });
  request.resume();
}
