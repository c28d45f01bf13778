/** Counts, times and reports each request, by whichever protocol it comes. */
import { harmless, type Reporter } from '../../lib/observability/events.js';
import type { Metrics } from './metrics.js';

/** A request that has begun. */
interface BegunRequest {
  readonly requestId: string;
  readonly method: string;
  /** As the client wrote it. */
  readonly path: string;
  /** One of a few, for metrics. */
  readonly route: string;
  /** The client's address; asked for only where it is reported. */
  readonly address: () => string;
}

/** Told of a request that begins; what it returns is told the HTTP status of its answer, and listens once. */
export type Observer = (request: BegunRequest) => (status: number) => void;

/** What an observer tells. */
export interface ObserverOptions {
  readonly metrics: Metrics;
  readonly reporter: Reporter;
  /** Whether each request is reported. */
  readonly logsRequests: boolean;
}

/** The status of a request whose client went away before its answer. */
export const CLIENT_GONE = 499;

const METHODS = ['GET', 'HEAD', 'POST'];

/** Makes an observer. */
export function createObserver({ metrics, reporter, logsRequests }: ObserverOptions): Observer {
  return ({ requestId, method, path, route, address: tellAddress }) => {
    const startedAt = performance.now();
    const address = logsRequests ? tellAddress() : '';
    let isOver = false;
    return harmless(reporter, (status: number) => {
      if (isOver) return;
      isOver = true;
      const seconds = (performance.now() - startedAt) / 1000;
      metrics.answered({ route, method: METHODS.includes(method) ? method : 'other', status, seconds });
      if (!logsRequests) return;
      const ms = Number((seconds * 1000).toFixed(2));
      const fields = { event: 'request', requestId, method, path, status, ms, address };
      reporter.info(`${method} ${path} ${status}`, fields);
    });
  };
}
