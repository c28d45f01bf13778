/** How Prometheus gets what a program counts: it asks a port of the program's, or asks a Pushgateway that the program tells. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Pushgateway } from 'prom-client';
import { listenAt } from '../http/listen.js';
import type { Reporter } from '../observability/events.js';
import type { PrometheusAsked } from '../settings/parts/watching.js';
import type { MetricsRegistry } from './registry.js';

/** Where the metrics of one program come out. */
export interface Outlets {
  /** Pushes a last time, then stops listening. */
  close(): Promise<void>;
}

interface OutletOptions {
  readonly metrics: MetricsRegistry;
  /** What tells these metrics from those that others push; undefined as long as there is nothing to push. */
  readonly group: () => Readonly<Record<string, string>> | undefined;
  readonly reporter: Pick<Reporter, 'info' | 'warn'>;
}

const PUSH_EVERY_MS = 5_000;
/** A Pushgateway that does not answer is left after this time: it holds up the end of a program no longer. */
const PUSH_TIMEOUT_MS = 2_000;
/** What a Pushgateway calls everything that fedbatch pushes. */
const JOB = 'fedbatch';

/** Opens what was asked for. @throws {UsageError} when the port is taken or the address is not this machine's */
export async function openOutlets(
  { port, host, gateway }: PrometheusAsked,
  options: OutletOptions,
): Promise<Outlets> {
  const flags = { port: '--metrics-port', host: '--metrics-host' };
  const endpoint =
    port === undefined ? undefined : await listenAt(answering(options.metrics), { port, host, flags });
  if (endpoint !== undefined) options.reporter.info(`Prometheus finds metrics at ${endpoint.url}/metrics`);
  const pushing = gateway === undefined ? undefined : startPushing(gateway, options);
  return {
    async close() {
      await pushing?.close();
      await endpoint?.close();
    },
  };
}

/** Answers `GET /metrics`. */
function answering({ text, contentType }: MetricsRegistry) {
  return (request: IncomingMessage, response: ServerResponse) => {
    const isAsked = request.url?.split('?')[0] === '/metrics';
    if (!isAsked || (request.method !== 'GET' && request.method !== 'HEAD')) {
      response.writeHead(isAsked ? 405 : 404, { 'content-type': 'text/plain' });
      response.end('GET /metrics is all that is answered here.\n');
      return;
    }
    text().then(
      (metrics) => {
        response.writeHead(200, { 'content-type': contentType, 'cache-control': 'no-store' });
        response.end(request.method === 'HEAD' ? undefined : metrics);
      },
      (error: Error) => {
        response.writeHead(500, { 'content-type': 'text/plain' });
        response.end(`${error.message}\n`);
      },
    );
  };
}

/** Pushes every few seconds; one that fails is told once, and the next one is tried all the same. */
function startPushing(url: string, { metrics, group, reporter }: OutletOptions): Outlets {
  let hasWarned = false;
  let running: Promise<void> | undefined;
  const push = async () => {
    const groupings = group();
    if (groupings === undefined) return;
    try {
      await pushOnce(url, metrics, groupings);
    } catch (error) {
      if (hasWarned) return;
      hasWarned = true;
      const { message, code } = error as NodeJS.ErrnoException;
      // A connection that every address of a name refuses has a code, and no message.
      const why = (message || code || 'no reason told').split('\n')[0];
      reporter.warn(`The Pushgateway at ${withoutSecrets(url)} has no metrics, and the work goes on: ${why}`);
    }
  };
  const timer = setInterval(() => {
    running ??= push().finally(() => {
      running = undefined;
    });
  }, PUSH_EVERY_MS).unref();
  return {
    async close() {
      clearInterval(timer);
      await running;
      await push();
    },
  };
}

async function pushOnce(
  url: string,
  { registry }: MetricsRegistry,
  groupings: Readonly<Record<string, string>>,
): Promise<void> {
  const signal = AbortSignal.timeout(PUSH_TIMEOUT_MS);
  // An answer that stops in its middle neither ends nor fails there.
  const late = new Promise<never>((_, reject) => {
    const seconds = PUSH_TIMEOUT_MS / 1000;
    signal.addEventListener('abort', () => reject(new Error(`no answer within ${seconds} s`)));
  });
  const pushed = new Pushgateway(url.replace(/\/+$/, ''), { signal }, registry).push({
    jobName: JOB,
    groupings,
  });
  await Promise.race([pushed, late]);
}

/** An address as it may stand in a log. */
function withoutSecrets(url: string): string {
  const { protocol, host, pathname } = new URL(url);
  return `${protocol}//${host}${pathname.replace(/\/$/, '')}`;
}
