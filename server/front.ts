/** What every request passes before any route: its id, its count, who sent it, and the way to the API or to the pages. */
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { answerProblem, assignRequestId } from '../lib/http/answers.js';
import { type AllowedHosts, requireHost } from '../lib/http/hosts.js';
import type { ApiHandler } from './api/api-handler.js';
import type { Access } from './operations/access.js';
import { clientAddress, createGuard, type RateLimit } from './operations/guard.js';
import { CLIENT_GONE, createObserver, type ObserverOptions } from './operations/observer.js';

/** What stands behind the front, and what it asks on the way. */
interface FrontOptions extends ObserverOptions {
  readonly api: ApiHandler;
  readonly pages: RequestListener;
  readonly access: Access;
  readonly rateLimit?: RateLimit;
  readonly trustedProxies: number;
  /** The names that it may be asked by beside this machine's own; any name where nothing stands here. */
  readonly hosts?: AllowedHosts;
}

/** Whoever looks after the server may ask these at any time, without a word about themselves. */
const PROBES = ['/healthz', '/readyz', '/v2/health/live', '/v2/health/ready'];

/** Routes as metrics call them, by the first part of an address. */
const ROUTES = [
  'upload',
  'predict',
  'samples',
  'static',
  'model',
  'healthz',
  'readyz',
  'metrics',
  'admin',
  'runs',
  'live',
  'openapi.json',
  'v1',
  'v2',
];

/** Makes the front. */
export function createFront(options: FrontOptions): RequestListener {
  const { api, pages, reporter, trustedProxies, hosts } = options;
  const guard = createGuard(options);
  const observe = createObserver(options);

  async function answer(request: IncomingMessage, response: ServerResponse, path: string): Promise<void> {
    requireHost(request, hosts);
    if (!PROBES.includes(path))
      await guard(() => ({
        address: clientAddress(request, trustedProxies),
        authorization: request.headers.authorization,
      }));
    const handler = api(path);
    if (handler === undefined) pages(request, response);
    else await handler(request, response);
  }

  return (request, response) => {
    const path = pathOf(request);
    const requestId = assignRequestId(request, response);
    const ended = observe({
      requestId,
      method: request.method ?? '',
      path,
      route: routeOf(path),
      address: () => clientAddress(request, trustedProxies),
    });
    response.once('close', () => ended(response.writableFinished ? response.statusCode : CLIENT_GONE));
    answer(request, response, path).catch((error: unknown) =>
      answerProblem(reporter, error, { path, response }),
    );
  };
}

function pathOf({ url = '/' }: IncomingMessage): string {
  const end = url.indexOf('?');
  return end < 0 ? url : url.slice(0, end);
}

/** A route of few: whatever clients ask for, the number of time series stays bounded. */
function routeOf(path: string): string {
  if (path === '/') return '/';
  const first = path.slice(1).split('/', 1)[0] ?? '';
  if (!ROUTES.includes(first)) return 'other';
  const verb = /[:/](predict|classify|infer|metadata)$/.exec(path)?.[1];
  return verb === undefined || !/^v[12]$/.test(first) ? `/${first}` : `/${first}:${verb}`;
}
