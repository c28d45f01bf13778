/** What a cluster must have before a run makes Jobs: the claim of the volume, the right to do what a run does. */
import type { V1PersistentVolumeClaim } from '@kubernetes/client-node';
import { UsageError } from '../../lib/core/errors.js';
import { PLACEHOLDERS, type Values } from '../manifests/placeholders.js';
import { fillTemplate } from '../manifests/templates.js';
import type { ClusterApi, Right } from './cluster-api.js';
import type { JobContext } from './ensure-job.js';

/**
 * The claim's name.
 *
 * @throws {UsageError} when there is none and nothing tells how to make it, or the one that is there will not do
 */
export async function ensureClaim(values: Values, context: JobContext): Promise<string> {
  const { api, reporter } = context;
  const name = values.CLAIM ?? PLACEHOLDERS.CLAIM.default ?? 'fedbatch';
  const found = await api.findClaim(name);
  if (found !== undefined) {
    judgeClaim(found, { name, wanted: values.STORAGE_CLASS }, context);
    return name;
  }
  await api.requireNamespace();
  if (values.STORAGE_CLASS === undefined) {
    throw new UsageError(
      `There is no claim ${name} in the namespace ${api.namespace} for the run's files: name a storage class that offers ` +
        'ReadWriteMany with --storage-class, or apply k8s/1-nfs-deployment.yaml to 3-nfs-pv-pvc.yaml.',
    );
  }
  await requireRights(api, CLAIM_RIGHTS);
  const [claim] = fillTemplate('pvc', values);
  await api.applyClaim(claim as unknown as V1PersistentVolumeClaim);
  reporter.info(`Made the claim ${name} of the storage class ${values.STORAGE_CLASS}.`);
  return name;
}

/** @throws {UsageError} when no volume will come of it, or none of the class that is wanted */
function judgeClaim(
  { metadata, spec, status }: V1PersistentVolumeClaim,
  { name, wanted }: { readonly name: string; readonly wanted: string | undefined },
  { api: { namespace }, reporter }: JobContext,
): void {
  const at = `pvc ${name} --namespace ${namespace}`;
  const anew = `kubectl delete ${at}, and the same command with --storage-class makes it anew`;
  if (metadata?.deletionTimestamp !== undefined) {
    throw new UsageError(
      `The claim ${name} is being deleted, which ends when no pod uses it any more (kubectl describe ${at} lists them): ` +
        'run the same command once it is gone.',
    );
  }
  if (status?.phase === 'Lost') throw new UsageError(`The claim ${name} has lost its volume: ${anew}.`);
  const { storageClassName: own = '' } = spec ?? {};
  if (wanted === undefined || wanted === own) return;
  const kind = own === '' ? 'no storage class' : `the storage class ${own}`;
  if (status?.phase !== 'Bound') {
    throw new UsageError(
      `The claim ${name} is there already, waits for a volume of ${kind}, and cannot change to ${wanted}: ${anew}.`,
    );
  }
  reporter.warn(
    `The claim ${name} is there already, with a volume of ${kind}: --storage-class ${wanted} changes nothing.`,
  );
}

const rights = (group: string, resource: string, verbs: readonly string[]): readonly Right[] =>
  verbs.map((verb) => ({ verb, group, resource }));

/** The rules of the Role in k8s/0-rbac.yaml, which a test holds to these and to what is really used. */
const RIGHTS: readonly Right[] = [
  ...rights('batch', 'jobs', ['get', 'list', 'watch', 'create', 'patch', 'delete']),
  ...rights('', 'pods', ['list', 'watch']),
  { verb: 'get', group: '', resource: 'pods', subresource: 'log' },
  ...rights('', 'configmaps', ['create', 'patch']),
  ...rights('', 'persistentvolumeclaims', ['get']),
  ...rights('', 'events', ['list']),
];
/** And those that only some runs need: where there is no claim, and with `--cleanup`. */
const CLAIM_RIGHTS = rights('', 'persistentvolumeclaims', ['create', 'patch']);
const CLEANUP_RIGHTS = rights('', 'configmaps', ['list', 'delete']);

/** @throws {UsageError} when something is not allowed that every run does: all of it, by verb and resource */
export async function requirePermissions(
  api: ClusterApi,
  { cleansUp }: { readonly cleansUp: boolean },
): Promise<void> {
  await requireRights(api, cleansUp ? [...RIGHTS, ...CLEANUP_RIGHTS] : RIGHTS);
}

async function requireRights(api: ClusterApi, needed: readonly Right[]): Promise<void> {
  const answers = await Promise.all(
    needed.map(async (right) => ({ right, isAllowed: await api.may(right) })),
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
