/** Serves the finished model: starts the server, says where the page is, and stays until the user stops it. */
import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { InterruptedError, UsageError } from '../lib/federation/errors.js';
import { errorCode } from '../lib/formats/atomic-file.js';
import { runStage, type StageContext } from './stage-process.js';

/** What to serve, and where. */
export interface ServeOptions {
  readonly model: string;
  readonly host: string;
  readonly port: number;
  /** A port that the user chose is not replaced by another one. */
  readonly portIsExplicit: boolean;
}

/** How often, and for how long, the new server is asked whether it is ready. */
const POLL_INTERVAL_MS = 50;
const READY_TIMEOUT_MS = 30_000;

/**
 * Runs the server until `signal`; `onReady` is told the page's address once it answers.
 *
 * @throws {UsageError} when the chosen port is taken
 * @throws {StageError} when the server ends by itself
 */
export async function serve(
  options: ServeOptions,
  context: StageContext & { readonly onReady: (address: string) => void },
): Promise<void> {
  const { model, host } = options;
  const port = await usablePort(options, context);
  const task = {
    stage: 'serve' as const,
    program: 'server/cli.js',
    arguments: ['--model', model, '--host', host, '--port', `${port}`],
  };
  const server = runStage(task, context);
  const address = `http://${host.includes(':') ? `[${host}]` : host}:${port}`;
  const stopWaiting = new AbortController();
  const ready = whenReady(address, AbortSignal.any([context.signal, stopWaiting.signal])).then(
    (isReady) => isReady && context.onReady(address),
  );
  try {
    await server;
  } catch (error) {
    // Stopping the server is how a good run with --serve ends.
    if (!(error instanceof InterruptedError)) throw error;
  } finally {
    stopWaiting.abort();
    await ready;
  }
}

async function usablePort(
  { host, port, portIsExplicit }: ServeOptions,
  { reporter }: StageContext,
): Promise<number> {
  const free = await tryListen(host, port);
  if (free !== undefined) return port === 0 ? free : port;
  if (portIsExplicit) {
    throw new UsageError(
      `Port ${port} on ${host} is taken: choose another with --port (0 takes any free one).`,
    );
  }
  const other = await tryListen(host, 0);
  if (other === undefined) throw new UsageError(`No port of ${host} can be listened on.`);
  reporter.warn(`port ${port} is taken by another program; the page is on port ${other}.`);
  return other;
}

/** The port that could be listened on, or undefined when it is taken. */
function tryListen(host: string, port: number): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', (error) => {
      if (errorCode(error) === 'EADDRINUSE') resolve(undefined);
      else
        reject(new UsageError(`Cannot listen on ${host}, port ${port}: ${error.message}.`, { cause: error }));
    });
    probe.listen({ host, port, exclusive: true }, () => {
      const address = probe.address();
      probe.close(() => resolve(typeof address === 'object' && address !== null ? address.port : undefined));
    });
  });
}

async function whenReady(address: string, signal: AbortSignal): Promise<boolean> {
  const until = Date.now() + READY_TIMEOUT_MS;
  while (!signal.aborted && Date.now() < until) {
    const answer = await fetch(`${address}/readyz`, { signal }).catch(() => undefined);
    if (answer?.ok) return true;
    await sleep(POLL_INTERVAL_MS, undefined, { signal }).catch(() => undefined);
  }
  return false;
}
