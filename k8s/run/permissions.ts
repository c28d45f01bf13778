/** What the runner may have to do in the cluster, asked before it begins: everything that is missing in one message. */
import { UsageError } from '../../lib/core/errors.js';
import type { ClusterApi, Right } from './cluster-api.js';

const rights = (group: string, resource: string, verbs: readonly string[]): readonly Right[] =>
  verbs.map((verb) => ({ verb, group, resource }));

/** The rules of the Role in k8s/0-rbac.yaml, which a test holds to these and to what is really used. */
const RIGHTS: readonly Right[] = [
  ...rights('batch', 'jobs', ['get', 'list', 'watch', 'create', 'patch', 'delete']),
  ...rights('', 'pods', ['list', 'watch']),
  { verb: 'get', group: '', resource: 'pods', subresource: 'log' },
  ...rights('', 'configmaps', ['list', 'create', 'patch', 'delete']),
  ...rights('', 'persistentvolumeclaims', ['get', 'create', 'patch']),
  ...rights('', 'events', ['list']),
];

/** @throws {UsageError} when something is not allowed: all of it, by verb and resource */
export async function requirePermissions(api: ClusterApi): Promise<void> {
  const answers = await Promise.all(
    RIGHTS.map(async (right) => ({ right, isAllowed: await api.may(right) })),
  );
  const missing = new Map<string, string[]>();
  for (const { right, isAllowed } of answers) {
    if (isAllowed) continue;
    const resource = describe(right);
    missing.set(resource, [...(missing.get(resource) ?? []), right.verb]);
  }
  if (missing.size === 0) return;
  const list = [...missing].map(([resource, verbs]) => `${verbs.join(', ')} ${resource}`).join('; ');
  throw new UsageError(
    `You may not do in the namespace ${api.namespace} what the run needs: ${list}. Ask the cluster's administrator for ` +
      'the Role in k8s/0-rbac.yaml, or choose another --namespace.',
  );
}

function describe({ group, resource, subresource }: Right): string {
  const qualified = group === '' ? resource : `${resource}.${group}`;
  return subresource === undefined ? qualified : `${qualified}/${subresource}`;
}
