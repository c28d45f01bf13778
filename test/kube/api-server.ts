/** An API server over HTTP for tests: what kubectl and client libraries ask of one, answered as a real one answers. */
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Readable } from 'node:stream';
import { parseAllDocuments } from 'yaml';
import { requireAccess, review } from './authorization.js';
import { ApiError, type KubeObject, RESOURCE_TYPES } from './objects.js';
import { list, watch } from './reads.js';
import type { Store } from './store.js';
import { type Access, accessOf, parseTarget, type Target } from './target.js';
import { write } from './writes.js';

/** What goes wrong with a request instead of an answer. */
export type Fault =
  | {
      readonly kind: 'refuse';
      readonly code: number;
      readonly retryAfterSeconds?: number;
      readonly message?: string;
    }
  | { readonly kind: 'drop' }
  /** A watch or a followed log that ends early, without a word. */
  | { readonly kind: 'cut'; readonly afterMs: number }
  /** A followed log of which nothing comes any more after so long, and that does not end. */
  | { readonly kind: 'stall'; readonly afterMs: number }
  /** A watch that tells everything so much later. */
  | { readonly kind: 'lag'; readonly ms: number };

/** What the server is made of. */
export interface ApiServerOptions {
  readonly store: Store;
  /** Whether the user may; everybody may everything by default. */
  readonly authorize: (access: Access) => boolean;
  readonly fault: (access: Access) => Fault | undefined;
  /** A container's log; throws where there is none. */
  readonly log: (pod: KubeObject, query: URLSearchParams) => Readable;
  readonly deletePod: (pod: KubeObject) => void;
  readonly user: string;
  /** PEM of its certificate, and of the authority of its clients' certificates; without it speaks plain HTTP. */
  readonly tls?: { readonly key: Buffer; readonly cert: Buffer; readonly ca: Buffer } | undefined;
  /** Whether a request shows who sends it; by default all do. */
  readonly authenticate?: ((request: IncomingMessage) => boolean) | undefined;
}

/** A running server. */
export interface ApiServer {
  readonly url: string;
  /** Every request that was allowed, for the test that compares with the Role. */
  readonly accesses: readonly Access[];
  close(): Promise<void>;
}

/** Starts a server on a free port of the loopback. */
export async function startApiServer(options: ApiServerOptions): Promise<ApiServer> {
  const accesses: Access[] = [];
  const listener: RequestListener = (request, response) => {
    void handle(request, response, { ...options, accesses }).catch((error: unknown) => {
      if (response.headersSent) return void response.destroy();
      const refusal = error instanceof ApiError ? error : new ApiError(500, 'InternalError', String(error));
      send(response, refusal.code, refusal.status, refusal.headers);
    });
  };
  const { tls } = options;
  const server =
    tls === undefined
      ? createServer(listener)
      : createTlsServer({ ...tls, requestCert: true, rejectUnauthorized: false }, listener);
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return {
    url: `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${(server.address() as AddressInfo).port}`,
    accesses,
    close: () =>
      new Promise((done) => {
        server.close(() => done());
        server.closeAllConnections();
      }),
  };
}

interface Context extends ApiServerOptions {
  readonly accesses: Access[];
}

async function handle(request: IncomingMessage, response: ServerResponse, context: Context): Promise<void> {
  if (context.authenticate?.(request) === false) throw new ApiError(401, 'Unauthorized', 'Unauthorized');
  const url = new URL(request.url ?? '/', 'http://server');
  const discovery = discover(url.pathname);
  if (discovery !== undefined) return send(response, 200, discovery);
  if (url.pathname === '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews') {
    return send(response, 201, review(await readBody(request), context));
  }
  const target = parseTarget(url);
  const access = accessOf(request.method ?? 'GET', target);
  const fault = context.fault(access);
  if (fault?.kind === 'drop') return void request.socket.destroy();
  if (fault?.kind === 'refuse') {
    const headers =
      fault.retryAfterSeconds === undefined ? {} : { 'Retry-After': `${fault.retryAfterSeconds}` };
    const {
      code,
      message = 'the server has received too many requests and has asked us to try again later',
    } = fault;
    const reason = code === 429 ? 'TooManyRequests' : code === 403 ? 'Forbidden' : 'InternalError';
    throw new ApiError(code, reason, message, headers);
  }
  requireAccess(access, context);
  const cutAfterMs = fault?.kind === 'cut' ? fault.afterMs : undefined;
  const lagMs = fault?.kind === 'lag' ? fault.ms : 0;
  if (access.verb === 'watch') return watch(response, target, { ...context, cutAfterMs, lagMs });
  if (target.subresource === 'log') {
    const { store, log } = context;
    const stream = log(store.get(target.resource, target.namespace, target.name ?? ''), target.query);
    response.writeHead(200, { 'Content-Type': 'text/plain' });
    response.flushHeaders();
    if (cutAfterMs !== undefined) setTimeout(() => response.destroy(), cutAfterMs);
    response.on('close', () => stream.destroy());
    stream.pipe(response);
    if (fault?.kind === 'stall') setTimeout(() => stream.unpipe(response), fault.afterMs);
    return;
  }
  if (!['POST', 'PUT', 'PATCH', 'DELETE'].includes(request.method ?? ''))
    return send(response, 200, read(target, context.store));
  const [code, answer] = write(request, { target, body: await readBody(request), context });
  send(response, code, answer);
}

function read({ resource, namespace, name, query }: Target, store: Store): object {
  return name === undefined
    ? list(store, { resource, namespace, query })
    : store.get(resource, namespace, name);
}

async function readBody(request: IncomingMessage): Promise<unknown> {
  let text = '';
  for await (const chunk of request) text += chunk;
  if (text === '') return undefined;
  try {
    // JSON is YAML.
    return parseAllDocuments(text)[0]?.toJS();
  } catch {
    throw new ApiError(400, 'BadRequest', 'the object provided is unrecognized');
  }
}

function send(
  response: ServerResponse,
  code: number,
  body: object,
  headers: Readonly<Record<string, string>> = {},
): void {
  response.writeHead(code, { 'Content-Type': 'application/json', ...headers });
  response.end(JSON.stringify(body));
}

/** Answers `/version`, `/api`, `/apis` and what stands below them; undefined for any other address. */
function discover(pathname: string): object | undefined {
  if (pathname === '/version') return { major: '1', minor: '29', gitVersion: 'v1.29.0' };
  if (pathname === '/api') return { kind: 'APIVersions', versions: ['v1'] };
  const groups = [...new Set(RESOURCE_TYPES.map(({ group }) => group))].filter((group) => group !== '');
  if (pathname === '/apis') {
    const version = (group: string) => ({ groupVersion: `${group}/v1`, version: 'v1' });
    return {
      kind: 'APIGroupList',
      apiVersion: 'v1',
      groups: groups.map((name) => ({ name, versions: [version(name)], preferredVersion: version(name) })),
    };
  }
  const group = pathname === '/api/v1' ? '' : groups.find((name) => pathname === `/apis/${name}/v1`);
  if (group === undefined) return undefined;
  const types = RESOURCE_TYPES.filter((each) => each.group === group);
  const resources = types.map(({ plural, kind, namespaced }) => ({
    name: plural,
    kind,
    namespaced,
    verbs: [],
  }));
  return {
    kind: 'APIResourceList',
    apiVersion: 'v1',
    groupVersion: group === '' ? 'v1' : `${group}/v1`,
    resources,
  };
}
