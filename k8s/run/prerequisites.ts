/** What a cluster must have before a run makes Jobs: the claim of the volume, the right to do what a run does. */
import type { V1PersistentVolumeClaim } from '@kubernetes/client-node';
import { UsageError } from '../../lib/core/errors.js';
import { PLACEHOLDERS, type Values } from '../manifests/placeholders.js';
import { fillTemplate } from '../manifests/templates.js';
import type { ClusterApi, Right } from './cluster-api.js';
import type { JobContext } from './ensure-job.js';

/** The claim's name. @throws {UsageError} when there is none and nothing tells how to make it */
export async function ensureClaim(values: Values, { api, reporter }: JobContext): Promise<string> {
  const name = values.CLAIM ?? PLACEHOLDERS.CLAIM.default ?? 'fedbatch';
  const found = await api.findClaim(name);
  if (found?.status?.phase === 'Lost') {
    throw new UsageError(`The claim ${name} has lost its volume: delete it, and make it again.`);
  }
  if (found !== undefined) return name;
  if (values.STORAGE_CLASS === undefined) {
    throw new UsageError(
      `There is no claim ${name} in the namespace ${api.namespace} for the run's files: name a storage class that offers ` +
        'ReadWriteMany with --storage-class, or apply k8s/1-nfs-deployment.yaml to 3-nfs-pv-pvc.yaml.',
    );
  }
  const [claim] = fillTemplate('pvc', values);
  await api.applyClaim(claim as unknown as V1PersistentVolumeClaim);
  reporter.info(`Made the claim ${name} of the storage class ${values.STORAGE_CLASS}.`);
  return name;
}

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
