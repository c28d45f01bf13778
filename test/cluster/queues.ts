/** Queues of a real Kueue. */
import type { TestContext } from 'node:test';
import { admin, apply, kubectl, type Place } from './cluster.js';

const VERSION = 'kueue.x-k8s.io/v1beta2';

/** Makes the local queue `team` in a place, with so much room for it, or gives it that; gone when the test ends. */
export async function makeQueue(
  t: TestContext,
  place: Place,
  { cpu }: { readonly cpu: string },
): Promise<void> {
  const name = place.namespace;
  const quotas = [
    { name: 'cpu', nominalQuota: cpu },
    { name: 'memory', nominalQuota: '64Gi' },
  ];
  t.after(() =>
    kubectl(admin, ['delete', 'clusterqueue,resourceflavor', name, '--wait=false'], { reject: false }),
  );
  await apply(
    admin,
    { apiVersion: VERSION, kind: 'ResourceFlavor', metadata: { name } },
    {
      apiVersion: VERSION,
      kind: 'ClusterQueue',
      metadata: { name },
      spec: {
        namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': name } },
        resourceGroups: [{ coveredResources: ['cpu', 'memory'], flavors: [{ name, resources: quotas }] }],
      },
    },
    {
      apiVersion: VERSION,
      kind: 'LocalQueue',
      metadata: { name: 'team', namespace: name },
      spec: { clusterQueue: name },
    },
  );
}
