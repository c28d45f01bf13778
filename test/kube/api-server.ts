/** An API server over HTTP for tests: what kubectl and client libraries ask of one, answered as a real one answers. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Readable } from 'node:stream';
import { parseAllDocuments } from 'yaml';
import {
  ApiError,
  apiVersionOf,
  type KubeObject,
  matchesFields,
  matchesLabels,
  qualifiedName,
  RESOURCE_TYPES,
  type ResourceType,
} from './objects.js';
import { applyServerSide, requireManager } from './server-side-apply.js';
import { type Change, type Store, timestamp } from './store.js';
import { validate, validateChange, withDefaults } from './validation.js';

/** What one request wants, as authorisation sees it. */
export interface Access {
  readonly verb: string;
  /** `jobs.batch`, `pods`. */
  readonly resource: string;
  readonly subresource: string;
  readonly namespace: string | undefined;
  readonly name: string | undefined;
}

/** What goes wrong with a request instead of an answer. */
export type Fault =
  | { readonly kind: 'refuse'; readonly code: number; readonly retryAfterSeconds?: number }
  | { readonly kind: 'drop' }
  /** A watch or a followed log that ends early, without a word. */
  | { readonly kind: 'cut'; readonly afterMs: number };

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
}

/** A running server. */
export interface ApiServer {
  readonly url: string;
  /** Every request that was allowed, for the test that compares with the Role. */
  readonly accesses: readonly Access[];
  close(): Promise<void>;
}

/** Between two bookmarks of a watch. */
const BOOKMARK_MS = 1_000;

/** Starts a server on a free port of the loopback. */
export async function startApiServer(options: ApiServerOptions): Promise<ApiServer> {
  const accesses: Access[] = [];
  const server = createServer((request, response) => {
    void handle(request, response, { ...options, accesses }).catch((error: unknown) => {
      if (response.headersSent) return void response.destroy();
      const refusal = error instanceof ApiError ? error : new ApiError(500, 'InternalError', String(error));
      send(response, refusal.code, refusal.status, refusal.headers);
    });
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
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

interface Target {
  readonly resource: ResourceType;
  readonly namespace: string | undefined;
  readonly name: string | undefined;
  readonly subresource: string;
  readonly query: URLSearchParams;
}

async function handle(request: IncomingMessage, response: ServerResponse, context: Context): Promise<void> {
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
    const reason = fault.code === 429 ? 'TooManyRequests' : 'InternalError';
    throw new ApiError(
      fault.code,
      reason,
      'the server has received too many requests and has asked us to try again later',
      headers,
    );
  }
  requireAccess(access, context);
  const cutAfterMs = fault?.kind === 'cut' ? fault.afterMs : undefined;
  if (access.verb === 'watch') return watch(response, target, { ...context, cutAfterMs });
  if (target.subresource === 'log') {
    const { store, log } = context;
    const stream = log(store.get(target.resource, target.namespace, target.name ?? ''), target.query);
    response.writeHead(200, { 'Content-Type': 'text/plain' });
    response.flushHeaders();
    if (cutAfterMs !== undefined) setTimeout(() => response.destroy(), cutAfterMs);
    response.on('close', () => stream.destroy());
    stream.pipe(response);
    return;
  }
  const body = ['POST', 'PUT', 'PATCH', 'DELETE'].includes(request.method ?? '')
    ? await readBody(request)
    : undefined;
  const [code, answer] = serve(request, { target, body, context });
  send(response, code, answer);
}

function serve(
  request: IncomingMessage,
  { target, body, context }: { readonly target: Target; readonly body: unknown; readonly context: Context },
): readonly [number, object] {
  const { store } = context;
  const { resource, namespace, name, query } = target;
  const given = (): KubeObject => {
    const object = body as KubeObject;
    const metadata = { ...object.metadata, ...(namespace === undefined ? {} : { namespace }) };
    return { ...object, apiVersion: apiVersionOf(resource), kind: resource.kind, metadata };
  };
  const write = (object: KubeObject, current: KubeObject | undefined): readonly [number, object] => {
    const complete = current === undefined ? withDefaults(object) : object;
    validate(complete);
    if (current === undefined) return [201, store.create(complete)];
    validateChange(current, complete);
    return [200, store.update(complete)];
  };
  switch (request.method) {
    case 'POST': {
      const object = given();
      const { generateName } = object.metadata as { generateName?: string };
      if (object.metadata.name === undefined && generateName !== undefined)
        object.metadata.name = `${generateName}${Math.random().toString(36).slice(2, 7)}`;
      return write(object, undefined);
    }
    case 'PUT':
      return write(
        { ...given(), status: store.get(resource, namespace, name ?? '').status },
        store.get(resource, namespace, name ?? ''),
      );
    case 'PATCH':
      return patch(request, { target, patched: given(), context, write });
    case 'DELETE': {
      // Client libraries say it in the query, kubectl in the body.
      const policy = query.get('propagationPolicy') ?? (body as DeleteOptions | undefined)?.propagationPolicy;
      return [200, remove(store.get(resource, namespace, name ?? ''), policy, context)];
    }
    default:
      if (name !== undefined) return [200, store.get(resource, namespace, name)];
      return [200, list(store, { resource, namespace, query })];
  }
}

type Write = (object: KubeObject, current: KubeObject | undefined) => readonly [number, object];

function patch(
  request: IncomingMessage,
  options: {
    readonly target: Target;
    readonly patched: KubeObject;
    readonly context: Context;
    readonly write: Write;
  },
): readonly [number, object] {
  const { target, patched, context, write } = options;
  const { store } = context;
  const { resource, namespace, name = '', query } = target;
  patched.metadata = { ...patched.metadata, name };
  const current = store.find(resource, namespace, name);
  const type = (request.headers['content-type'] ?? '').split(';')[0];
  if (type === 'application/apply-patch+yaml') {
    const manager = requireManager(query.get('fieldManager'), patched);
    // Who applies what is not there needs the right to create it, too.
    if (current === undefined) requireAccess({ ...accessOf('POST', target), name: undefined }, context);
    const applied = applyServerSide(current && { ...current }, patched, {
      manager,
      force: query.get('force') === 'true',
    });
    return write(applied, current);
  }
  if (type !== 'application/merge-patch+json' && type !== 'application/strategic-merge-patch+json') {
    throw new ApiError(
      415,
      'UnsupportedMediaType',
      `the body of the request was in an unknown format: ${type}`,
    );
  }
  const before = store.get(resource, namespace, name);
  return write(mergePatch(before, patched) as KubeObject, before);
}

/** @throws {ApiError} 403, as a real server words it */
function requireAccess(access: Access, { authorize, accesses, user }: Context): void {
  if (!authorize(access)) throw forbidden(access, user);
  accesses.push(access);
}

/** RFC 7386. */
function mergePatch(target: unknown, change: unknown): unknown {
  if (typeof change !== 'object' || change === null || Array.isArray(change)) return change;
  const result: Record<string, unknown> = typeof target === 'object' && target !== null ? { ...target } : {};
  for (const [key, value] of Object.entries(change)) {
    if (value === null) delete result[key];
    else result[key] = mergePatch(result[key], value);
  }
  return result;
}

interface DeleteOptions {
  /** Background, Foreground, Orphan. */
  readonly propagationPolicy?: string;
}

/** A Job deleted without a policy leaves its pods behind: so do the servers of `batch/v1`. */
function remove(
  object: KubeObject,
  propagationPolicy: string | undefined,
  { store, deletePod }: Context,
): object {
  if (object.kind === 'Pod') {
    deletePod(object);
    return object;
  }
  const policy = propagationPolicy ?? (object.kind === 'Job' ? 'Orphan' : 'Background');
  if (policy === 'Foreground' && object.kind === 'Job') {
    store.change(object, (current) => {
      current.metadata.deletionTimestamp ??= timestamp();
    });
  } else store.remove(object);
  if (policy !== 'Orphan') {
    for (const resource of RESOURCE_TYPES) {
      for (const each of store.list(resource)) {
        if (!each.metadata.ownerReferences?.some(({ uid }) => uid === object.metadata.uid)) continue;
        if (each.kind === 'Pod') deletePod(each);
        else store.remove(each);
      }
    }
  }
  const { name, uid } = object.metadata;
  return {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Success',
    details: { name, kind: object.kind, uid },
  };
}

function list(
  store: Store,
  { resource, namespace, query }: Pick<Target, 'resource' | 'namespace' | 'query'>,
): object {
  const items = store.list(resource, namespace).filter((each) => isWanted(each, query));
  const metadata = { resourceVersion: `${store.revision()}` };
  return { kind: `${resource.kind}List`, apiVersion: apiVersionOf(resource), metadata, items };
}

function isWanted(object: KubeObject, query: URLSearchParams): boolean {
  const [labels, fields] = [query.get('labelSelector'), query.get('fieldSelector')];
  return (
    (!labels || matchesLabels(object.metadata.labels ?? {}, labels)) &&
    (!fields || matchesFields(object, fields))
  );
}

function watch(
  response: ServerResponse,
  { resource, namespace, query }: Target,
  { store, cutAfterMs }: Context & { readonly cutAfterMs: number | undefined },
): void {
  const isOfWatch = ({ resource: changed, object }: Change) =>
    changed === resource &&
    (namespace === undefined || object.metadata.namespace === namespace) &&
    isWanted(object, query);
  const tell = (type: string, object: object) => response.write(`${JSON.stringify({ type, object })}\n`);
  const from = query.get('resourceVersion') ?? '';
  let missed: readonly Change[];
  try {
    missed =
      from === '' || from === '0'
        ? store
            .list(resource, namespace)
            .map((object) => ({ revision: 0, type: 'ADDED' as const, resource, object }))
        : store.since(Number(from));
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    // What a server says of an old version: an event of the watch where it has begun to answer, as etcd's compaction does.
    response.writeHead(200, { 'Content-Type': 'application/json' });
    tell('ERROR', error.status);
    response.end();
    return;
  }
  response.writeHead(200, { 'Content-Type': 'application/json' });
  response.flushHeaders();
  for (const change of missed) if (isOfWatch(change)) tell(change.type, change.object);
  const unsubscribe = store.subscribe((change) => {
    if (isOfWatch(change)) tell(change.type, change.object);
  });
  const bookmark = () =>
    tell('BOOKMARK', {
      kind: resource.kind,
      apiVersion: apiVersionOf(resource),
      metadata: { resourceVersion: `${store.revision()}` },
    });
  const timers = [
    ...(query.get('allowWatchBookmarks') === 'true' ? [setInterval(bookmark, BOOKMARK_MS)] : []),
    setTimeout(() => response.end(), Number(query.get('timeoutSeconds') ?? 1800) * 1000),
    ...(cutAfterMs === undefined ? [] : [setTimeout(() => response.destroy(), cutAfterMs)]),
  ];
  response.on('close', () => {
    unsubscribe();
    for (const timer of timers) clearTimeout(timer);
  });
}

/** `/api/v1/namespaces/<ns>/<plural>/<name>/<subresource>`, with `/apis/<group>/<version>` for the others. */
function parseTarget({ pathname, searchParams }: URL): Target {
  const parts = pathname
    .split('/')
    .filter((part) => part !== '')
    .map(decodeURIComponent);
  const [group = '', rest] = parts[0] === 'api' ? ['', parts.slice(2)] : [parts[1], parts.slice(3)];
  const isScoped = rest[0] === 'namespaces' && rest.length > 2;
  const [plural = '', name, subresource = ''] = isScoped ? rest.slice(2) : rest;
  const resource = RESOURCE_TYPES.find((each) => each.group === group && each.plural === plural);
  if (resource === undefined)
    throw new ApiError(404, 'NotFound', 'the server could not find the requested resource');
  return { resource, namespace: isScoped ? rest[1] : undefined, name, subresource, query: searchParams };
}

function accessOf(method: string, { resource, namespace, name, subresource, query }: Target): Access {
  const verbs: Readonly<Record<string, string>> = {
    POST: 'create',
    PUT: 'update',
    PATCH: 'patch',
    DELETE: 'delete',
  };
  const reading = query.get('watch') === 'true' ? 'watch' : name === undefined ? 'list' : 'get';
  return { verb: verbs[method] ?? reading, resource: qualifiedName(resource), subresource, namespace, name };
}

function forbidden({ verb, resource, subresource, namespace, name }: Access, user: string): ApiError {
  const [plural = '', ...group] = resource.split('.');
  const what =
    name === undefined
      ? qualifiedName({ plural, group: group.join('.') } as ResourceType)
      : `${resource} "${name}"`;
  const below = subresource === '' ? plural : `${plural}/${subresource}`;
  return new ApiError(
    403,
    'Forbidden',
    `${what} is forbidden: User "${user}" cannot ${verb} resource "${below}" in API group "${group.join('.')}"` +
      (namespace === undefined ? ' at the cluster scope' : ` in the namespace "${namespace}"`),
  );
}

function review(body: unknown, { authorize }: Context): object {
  const given = body as KubeObject;
  const {
    verb = '',
    group = '',
    resource = '',
    subresource = '',
    namespace,
    name,
  } = given.spec?.resourceAttributes ?? {};
  const qualified = qualifiedName({ group, plural: resource } as ResourceType);
  const allowed = authorize({ verb, resource: qualified, subresource, namespace, name });
  return {
    ...given,
    apiVersion: 'authorization.k8s.io/v1',
    kind: 'SelfSubjectAccessReview',
    status: { allowed },
  };
}

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
