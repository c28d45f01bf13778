/** Lists and watches. */
import type { ServerResponse } from 'node:http';
import { ApiError, apiVersionOf, type KubeObject, matchesFields, matchesLabels } from './objects.js';
import type { Change, Store } from './store.js';
import type { Target } from './target.js';

/** Between two bookmarks of a watch. */
const BOOKMARK_MS = 1_000;

/** What is left of lists that are told in pages, as it was at their first page: by store, then by what goes on with them. */
const LEFT = new WeakMap<Store, Map<string, readonly KubeObject[]>>();

/** Answers a list, or a page of one. @throws {ApiError} 410 where the version of its first page is no longer known */
export function list(
  store: Store,
  { resource, namespace, query }: Pick<Target, 'resource' | 'namespace' | 'query'>,
): object {
  const left = LEFT.get(store) ?? new Map<string, readonly KubeObject[]>();
  LEFT.set(store, left);
  const token = query.get('continue');
  const [version = ''] = token?.split(' ') ?? [`${store.revision()}`];
  if (token !== null) store.since(Number(version));
  const all =
    (token === null ? undefined : left.get(token)) ??
    store.list(resource, namespace).filter((each) => isWanted(each, query));
  const limit = Number(query.get('limit') ?? all.length);
  const items = all.slice(0, limit);
  const more = items.length < all.length ? { continue: `${version} ${left.size}` } : {};
  if (more.continue !== undefined) left.set(more.continue, all.slice(limit));
  const metadata = { resourceVersion: version, ...more };
  return { kind: `${resource.kind}List`, apiVersion: apiVersionOf(resource), metadata, items };
}

function isWanted(object: KubeObject, query: URLSearchParams): boolean {
  const [labels, fields] = [query.get('labelSelector'), query.get('fieldSelector')];
  return (
    (!labels || matchesLabels(object.metadata.labels ?? {}, labels)) &&
    (!fields || matchesFields(object, fields))
  );
}

/** Answers a watch until its time is over, its client is gone, or it is cut. */
export function watch(
  response: ServerResponse,
  { resource, namespace, query }: Target,
  {
    store,
    cutAfterMs,
    lagMs,
  }: { readonly store: Store; readonly cutAfterMs: number | undefined; readonly lagMs: number },
): void {
  const isOfWatch = ({ resource: changed, object }: Change) =>
    changed === resource &&
    (namespace === undefined || object.metadata.namespace === namespace) &&
    isWanted(object, query);
  const tell = (type: string, object: object) => {
    const line = `${JSON.stringify({ type, object })}\n`;
    if (lagMs === 0) response.write(line);
    else setTimeout(() => response.writable && response.write(line), lagMs);
  };
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
