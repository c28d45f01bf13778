/** What etcd is to an API server: objects with versions, and the history that watches start from. */
import { randomUUID } from 'node:crypto';
import { ApiError, type KubeObject, kindNamed, qualifiedName, type ResourceType, typeOf } from './objects.js';

/** One change, as watches tell it. */
export interface Change {
  readonly revision: number;
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED';
  readonly resource: ResourceType;
  readonly object: KubeObject;
}

/** The objects of a cluster. What goes in and out is copied: nobody holds a live object. */
export interface Store {
  readonly revision: () => number;
  list(resource: ResourceType, namespace?: string): readonly KubeObject[];
  /** @throws {ApiError} 404 */
  get(resource: ResourceType, namespace: string | undefined, name: string): KubeObject;
  find(resource: ResourceType, namespace: string | undefined, name: string): KubeObject | undefined;
  /** @throws {ApiError} 409 when it is there already */
  create(object: KubeObject): KubeObject;
  /** @throws {ApiError} 409 when `resourceVersion` is given and not the newest */
  update(object: KubeObject): KubeObject;
  /** Reads, changes and writes one object at once; nothing happens where it is gone. */
  change(object: KubeObject, edit: (current: KubeObject) => void): KubeObject | undefined;
  remove(object: KubeObject): void;
  /** Calls back after every change. */
  subscribe(listener: (change: Change) => void): () => void;
  /** The changes after `revision`. @throws {ApiError} 410 when they are no longer known */
  since(revision: number): readonly Change[];
  /** Forgets the history, as etcd's compaction does: watches from before are told 410 Gone. */
  compact(): void;
}

/** An empty store. */
export function createStore(): Store {
  /** By kind, then by namespace and name. */
  const objects = new Map<string, Map<string, KubeObject>>();
  const listeners = new Set<(change: Change) => void>();
  let history: Change[] = [];
  let revision = 1000;
  let oldest = revision;
  const ofKind = (resource: ResourceType) => {
    const kind = qualifiedName(resource);
    const known = objects.get(kind) ?? new Map<string, KubeObject>();
    objects.set(kind, known);
    return known;
  };
  const keyOf = (resource: ResourceType, namespace: string | undefined, name: string) =>
    `${resource.namespaced ? namespace : ''}/${name}`;
  const held = (resource: ResourceType, namespace: string | undefined, name: string) =>
    ofKind(resource).get(keyOf(resource, namespace, name));
  const commit = (type: Change['type'], object: KubeObject): KubeObject => {
    const resource = typeOf(object);
    const { name, namespace } = object.metadata;
    const stored = structuredClone(object);
    stored.metadata.resourceVersion = `${++revision}`;
    const key = keyOf(resource, namespace, name);
    if (type === 'DELETED') ofKind(resource).delete(key);
    else ofKind(resource).set(key, stored);
    const change = { revision, type, resource, object: stored };
    history.push(change);
    for (const listener of [...listeners]) listener(change);
    return structuredClone(stored);
  };
  const store: Store = {
    revision: () => revision,
    list: (resource, namespace) =>
      [...ofKind(resource).values()]
        .filter((each) => namespace === undefined || each.metadata.namespace === namespace)
        .sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1))
        .map((each) => structuredClone(each)),
    find: (resource, namespace, name) => structuredClone(held(resource, namespace, name)),
    get(resource, namespace, name) {
      const found = store.find(resource, namespace, name);
      if (found !== undefined) return found;
      throw new ApiError(404, 'NotFound', `${qualifiedName(resource)} "${name}" not found`);
    },
    create(object) {
      const resource = typeOf(object);
      const { name, namespace } = object.metadata;
      if (held(resource, namespace, name) !== undefined) {
        throw new ApiError(409, 'AlreadyExists', `${qualifiedName(resource)} "${name}" already exists`);
      }
      const metadata = {
        ...object.metadata,
        uid: randomUUID(),
        generation: 1,
        creationTimestamp: timestamp(),
      };
      return commit('ADDED', { ...object, metadata });
    },
    update(object) {
      const resource = typeOf(object);
      const { name, namespace, resourceVersion } = object.metadata;
      const current = store.get(resource, namespace, name);
      if (resourceVersion !== undefined && resourceVersion !== current.metadata.resourceVersion) {
        throw new ApiError(
          409,
          'Conflict',
          `Operation cannot be fulfilled on ${qualifiedName(resource)} "${name}": the object has been modified; ` +
            'please apply your changes to the latest version and try again',
        );
      }
      const { uid, creationTimestamp, generation = 1 } = current.metadata;
      const isSameSpec = JSON.stringify(current.spec) === JSON.stringify(object.spec);
      const metadata = {
        ...object.metadata,
        uid,
        creationTimestamp,
        generation: generation + (isSameSpec ? 0 : 1),
      };
      return commit('MODIFIED', { ...object, metadata } as KubeObject);
    },
    change(object, edit) {
      const resource = typeOf(object);
      const current = store.find(resource, object.metadata.namespace, object.metadata.name);
      if (current === undefined || current.metadata.uid !== object.metadata.uid) return undefined;
      const before = JSON.stringify(current);
      edit(current);
      return JSON.stringify(current) === before ? current : store.update(current);
    },
    remove(object) {
      const { name, namespace } = object.metadata;
      const current = store.find(typeOf(object), namespace, name);
      if (current !== undefined) commit('DELETED', current);
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    since(from) {
      if (from < oldest) {
        throw new ApiError(410, 'Expired', `too old resource version: ${from} (${oldest})`);
      }
      return history.filter((change) => change.revision > from);
    },
    compact() {
      history = [];
      oldest = ++revision;
    },
  };
  return store;
}

/** Now, to the second as Kubernetes writes it. */
export const timestamp = (): string => new Date().toISOString().replace(/\.\d+Z$/, 'Z');

/** What is told. */
export interface Told {
  readonly type?: 'Normal' | 'Warning';
  readonly reason: string;
  readonly message: string;
}

const EVENTS = kindNamed('Event');

/** Writes an event about `object`. */
export function tell(store: Store, object: KubeObject, { type = 'Warning', reason, message }: Told): void {
  const { name, namespace = '', uid } = object.metadata;
  const known = store
    .list(EVENTS, namespace)
    .find(
      (event) => event.involvedObject.uid === uid && event.reason === reason && event.message === message,
    );
  if (known !== undefined) {
    store.change(known, (event) => {
      event.count++;
      event.lastTimestamp = timestamp();
    });
    return;
  }
  const now = timestamp();
  store.create({
    apiVersion: 'v1',
    kind: 'Event',
    metadata: { name: `${name}.${store.revision().toString(16)}`, namespace },
    involvedObject: { kind: object.kind, namespace, name, uid },
    ...{ type, reason, message, count: 1, firstTimestamp: now, lastTimestamp: now },
  });
}
