/** What the parts of a cluster tell of an object: events, which are counted where they come again. */
import { type KubeObject, kindNamed } from './objects.js';
import { type Store, timestamp } from './store.js';

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
