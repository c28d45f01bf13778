/** What every request passes before any route: its id, its count, who sent it, and the way to the API or to the pages. */
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { Reporter } from '../lib/observability/events.js';
import { answerProblem, assignRequestId } from './answers.js';
import type { ApiHandler } from './api/api-handler.js';
import type { Access } from './operations/access.js';
import { clientAddress } from './operations/client-address.js';
import type { Metrics } from './operations/metrics.js';
import type { RateLimit } from './operations/rate-limit.js';
import { HttpProblem } from './problems.js';

/** What stands behind the front, and what it asks on the way. */
export interface FrontOptions {
  readonly api: ApiHandler;
  readonly pages: RequestListener;
  readonly access: Access;
  readonly metrics: Metrics;
  readonly reporter: Reporter;
  readonly rateLimit?: RateLimit;
  readonly trustedProxies: number;
  readonly logsRequests: boolean;
}

/** Whoever looks after the server may ask these at any time, without a word about themselves. */
const PROBES = ['/healthz', '/readyz', '/v2/health/live', '/v2/health/ready'];

/** Routes as metrics call them, by the first part of an address. */
const ROUTES = [
  'upload',
  'samples',
  'static',
  'model',
  'healthz',
  'readyz',
  'metrics',
  'admin',
  'openapi.json',
  'v1',
  'v2',
];

/** Makes the front. */
export function createFront(options: FrontOptions): RequestListener {
  const { api, pages, access, reporter, rateLimit, trustedProxies } = options;

  async function answer(request: IncomingMessage, response: ServerResponse, path: string): Promise<void> {
    if (!PROBES.includes(path)) {
      await rateLimit?.count(clientAddress(request, trustedProxies));
      if (!access.isOpen && !access.allows(request.headers.authorization))
        throw new HttpProblem(401, 'Expected credentials, found none that are known.', {
          headers: { 'WWW-Authenticate': access.challenge },
        });
    }
    const handler = api(path);
    if (handler === undefined) pages(request, response);
    else await handler(request, response);
  }

  return (request, response) => {
    const path = pathOf(request);
    const requestId = assignRequestId(request, response);
    observe({ request, response, path, requestId }, options);
    answer(request, response, path).catch((error: unknown) =>
      answerProblem(reporter, error, { path, response }),
    );
  };
}

function pathOf({ url = '/' }: IncomingMessage): string {
  const end = url.indexOf('?');
  return end < 0 ? url : url.slice(0, end);
}

interface Observed {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly path: string;
  readonly requestId: string;
}

/** Counts and times a request, and reports it where that is wanted. */
function observe(
  { request, response, path, requestId }: Observed,
  { metrics, reporter, logsRequests, trustedProxies }: FrontOptions,
): void {
  const startedAt = performance.now();
  const { method = '' } = request;
  const address = logsRequests ? clientAddress(request, trustedProxies) : '';
  response.once('close', () => {
    // 499: the client went away before its answer.
    const status = response.writableFinished ? response.statusCode : 499;
    const seconds = (performance.now() - startedAt) / 1000;
    metrics.answered({ route: routeOf(path), method: knownMethod(method), status, seconds });
    if (!logsRequests) return;
    const fields = {
      event: 'request',
      requestId,
      method,
      path,
      status,
      ms: Number((seconds * 1000).toFixed(2)),
      address,
    };
    reporter.info(`${method} ${path} ${status}`, fields);
  });
}

/** A route of few: whatever clients ask for, the number of time series stays bounded. */
function routeOf(path: string): string {
  if (path === '/') return '/';
  const first = path.slice(1).split('/', 1)[0] ?? '';
  if (!ROUTES.includes(first)) return 'other';
  const verb = /[:/](predict|classify|infer|metadata)$/.exec(path)?.[1];
  return verb === undefined || !/^v[12]$/.test(first) ? `/${first}` : `/${first}:${verb}`;
}

function knownMethod(method: string): string {
  return ['GET', 'HEAD', 'POST'].includes(method) ? method : 'other';
}
