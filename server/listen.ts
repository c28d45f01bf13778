/** Listens for connections with timeouts, and stops without cutting off who is being answered. */
import { createServer, type RequestListener, type Server, type ServerOptions } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { UsageError } from '../lib/federation/errors.js';
import { errorCode } from '../lib/formats/atomic-file.js';

/** Where to listen and until when. */
export interface ListenOptions {
  /** Address or name of an interface of this machine. */
  readonly host: string;
  /** TCP port; 0 picks a free one. */
  readonly port: number;
  /** Certificate (with its chain) and key in PEM, for HTTPS. */
  readonly tls?: TlsFiles;
  /** How long a client may take for the head of a request. */
  readonly headersTimeoutMs?: number;
}

/** Contents of the two files. */
export interface TlsFiles {
  readonly cert: Uint8Array;
  readonly key: Uint8Array;
}

/** A server that accepts connections. */
export interface RunningServer {
  /** E.g. `http://127.0.0.1:5000`. */
  readonly url: string;
  /** Stops accepting, lets running requests finish within the grace period, then closes what is left. */
  close(): Promise<void>;
}

/** Slow or silent clients are let go: headers within 10 s, a whole request within 30 s. */
const HEADERS_TIMEOUT_MS = 10_000;
const REQUEST_TIMEOUT_MS = 30_000;
const KEEP_ALIVE_TIMEOUT_MS = 10_000;
const TIMEOUT_CHECK_INTERVAL_MS = 2_000;
/** Running requests may finish for this long: less than the program's own grace, and than Kubernetes' 30 s. */
const DRAIN_MS = 4_000;
const DRAIN_CHECK_INTERVAL_MS = 50;

/** Listens. @throws {UsageError} when the port is taken or the address is not this machine's. */
export async function listen(
  app: RequestListener,
  { host, port, tls, headersTimeoutMs = HEADERS_TIMEOUT_MS }: ListenOptions,
): Promise<RunningServer> {
  const timeouts = {
    headersTimeout: headersTimeoutMs,
    requestTimeout: REQUEST_TIMEOUT_MS,
    keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
    connectionsCheckingInterval: Math.min(TIMEOUT_CHECK_INTERVAL_MS, headersTimeoutMs),
  };
  const server = tls === undefined ? createServer(timeouts, app) : createSecureServer(tls, timeouts, app);
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause) => reject(listenProblem(cause, { host, port })));
    server.listen({ host, port }, resolve);
  });
  const scheme = tls === undefined ? 'http' : 'https';
  return { url: `${scheme}://${addressOf(server)}`, close: () => drain(server) };
}

function createSecureServer({ cert, key }: TlsFiles, timeouts: ServerOptions, app: RequestListener): Server {
  try {
    const options = {
      ...timeouts,
      cert: Buffer.from(cert),
      key: Buffer.from(key),
      minVersion: 'TLSv1.2',
    } as const;
    return createTlsServer(options, app);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new UsageError(`--tls-cert and --tls-key are no certificate with its key in PEM: ${reason}.`, {
      cause,
    });
  }
}

async function drain(server: Server): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  // A connection that was busy when closing began falls idle later and would stay open for its keep-alive time.
  const sweep = setInterval(() => server.closeIdleConnections(), DRAIN_CHECK_INTERVAL_MS);
  const cut = setTimeout(() => server.closeAllConnections(), DRAIN_MS);
  await closed;
  clearInterval(sweep);
  clearTimeout(cut);
}

function addressOf(server: Server): string {
  const { address, family, port } = server.address() as AddressInfo;
  return `${family === 'IPv6' ? `[${address}]` : address}:${port}`;
}

function listenProblem(cause: unknown, { host, port }: ListenOptions): unknown {
  switch (errorCode(cause)) {
    case 'EADDRINUSE':
      return new UsageError(
        `Port ${port} on ${host} is in use by another program; choose another with --port (0 picks a free one).`,
        { cause },
      );
    case 'EACCES':
      return new UsageError(
        `Port ${port} may not be opened by this user; choose one above 1023 with --port.`,
        { cause },
      );
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return new UsageError(`${host} is not an address of this machine; choose another with --host.`, {
        cause,
      });
    default:
      return cause;
  }
}
