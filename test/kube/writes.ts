/** Creating, changing and deleting objects. */
import type { IncomingMessage } from 'node:http';
import { type Authorization, requireAccess } from './authorization.js';
import {
  ApiError,
  apiVersionOf,
  type KubeObject,
  kindNamed,
  qualifiedName,
  RESOURCE_TYPES,
  typeOf,
} from './objects.js';
import { applyServerSide, requireManager } from './server-side-apply.js';
import { type Store, timestamp } from './store.js';
import { accessOf, type Target } from './target.js';
import { validate, validateChange, withDefaults } from './validation.js';

/** What a write needs. */
interface WriteContext extends Authorization {
  readonly store: Store;
  readonly deletePod: (pod: KubeObject) => void;
}

/** Carries out a write; status code and answer. */
export function write(
  request: IncomingMessage,
  {
    target,
    body,
    context,
  }: { readonly target: Target; readonly body: unknown; readonly context: WriteContext },
): readonly [number, object] {
  const { store } = context;
  const { resource, namespace, name, query } = target;
  const given = (): KubeObject => {
    const object = body as KubeObject;
    const metadata = { ...object.metadata, ...(namespace === undefined ? {} : { namespace }) };
    return { ...object, apiVersion: apiVersionOf(resource), kind: resource.kind, metadata };
  };
  const put = (object: KubeObject, current: KubeObject | undefined): readonly [number, object] => {
    const complete = current === undefined ? withDefaults(object) : object;
    validate(complete);
    if (current === undefined) {
      requireNamespace(complete, store);
      return [201, store.create(complete)];
    }
    validateChange(current, complete);
    return [200, store.update(complete)];
  };
  switch (request.method) {
    case 'POST': {
      const object = given();
      const { generateName } = object.metadata as { generateName?: string };
      if (object.metadata.name === undefined && generateName !== undefined)
        object.metadata.name = `${generateName}${Math.random().toString(36).slice(2, 7)}`;
      return put(object, undefined);
    }
    case 'PUT':
      return put(
        { ...given(), status: store.get(resource, namespace, name ?? '').status },
        store.get(resource, namespace, name ?? ''),
      );
    case 'PATCH':
      return patch(request, { target, patched: given(), context, put });
    case 'DELETE': {
      // Client libraries say it in the query, kubectl in the body.
      const policy = query.get('propagationPolicy') ?? (body as DeleteOptions | undefined)?.propagationPolicy;
      return [200, remove(store.get(resource, namespace, name ?? ''), policy, context)];
    }
    default:
      throw new ApiError(405, 'MethodNotAllowed', `the server does not allow ${request.method} here`);
  }
}

/** What a server makes of something new in a namespace that is not there, or will not be for long. */
function requireNamespace(
  { apiVersion, kind, metadata: { namespace, name } }: KubeObject,
  store: Store,
): void {
  const resource = typeOf({ apiVersion, kind });
  if (!resource.namespaced) return;
  const { metadata } = store.get(kindNamed('Namespace'), undefined, namespace ?? '');
  if (metadata.deletionTimestamp === undefined) return;
  const why = `unable to create new content in namespace ${namespace} because it is being terminated`;
  throw new ApiError(403, 'Forbidden', `${qualifiedName(resource)} "${name}" is forbidden: ${why}`);
}

type Put = (object: KubeObject, current: KubeObject | undefined) => readonly [number, object];

function patch(
  request: IncomingMessage,
  options: {
    readonly target: Target;
    readonly patched: KubeObject;
    readonly context: WriteContext;
    readonly put: Put;
  },
): readonly [number, object] {
  const { target, patched, context, put } = options;
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
    return put(applied, current);
  }
  if (type !== 'application/merge-patch+json' && type !== 'application/strategic-merge-patch+json') {
    throw new ApiError(
      415,
      'UnsupportedMediaType',
      `the body of the request was in an unknown format: ${type}`,
    );
  }
  const before = store.get(resource, namespace, name);
  return put(mergePatch(before, patched) as KubeObject, before);
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
  { store, deletePod }: WriteContext,
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
