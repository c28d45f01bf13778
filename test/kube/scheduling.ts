/** Why a pod cannot be placed on a node, or one of its containers not be made, in the words of a real cluster. */
import { type KubeObject, kindNamed } from './objects.js';
import type { Store } from './store.js';

/** What all nodes have together. */
export interface Capacity {
  readonly gpus: number;
  /** Pods at a time. */
  readonly places: number;
}

/** What the scheduler says of a pod that fits nowhere. */
export function whyUnschedulable(
  pod: KubeObject,
  { store, gpus, places }: Capacity & { readonly store: Store },
): string | undefined {
  const { namespace } = pod.metadata;
  for (const { persistentVolumeClaim: claim } of pod.spec.volumes ?? []) {
    if (claim === undefined) continue;
    const found = store.find(kindNamed('PersistentVolumeClaim'), namespace, claim.claimName);
    if (found === undefined)
      return `0/1 nodes are available: persistentvolumeclaim "${claim.claimName}" not found. preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling.`;
    if (found.status?.phase !== 'Bound')
      return '0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims. preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling.';
  }
  const wanted = pod.spec.containers
    .map(({ resources }: KubeObject) => Number(resources?.limits?.['nvidia.com/gpu'] ?? 0))
    .reduce((sum: number, each: number) => sum + each, 0);
  const placed = store
    .list(kindNamed('Pod'))
    .filter(
      ({ spec, status }) => spec.nodeName !== undefined && !['Succeeded', 'Failed'].includes(status?.phase),
    );
  if (placed.length >= places)
    return '0/1 nodes are available: 1 Insufficient cpu. preemption: 0/1 nodes are available: 1 No preemption victims found for incoming pod.';
  return wanted > gpus
    ? '0/1 nodes are available: 1 Insufficient nvidia.com/gpu. preemption: 0/1 nodes are available: 1 No preemption victims found for incoming pod.'
    : undefined;
}

/** Why a container waits: its image, or what its environment is made of. */
export function whyNoContainer(
  pod: KubeObject,
  { image, env = [] }: KubeObject,
  {
    store,
    hasImage,
  }: { readonly store: Store; readonly hasImage: (image: string, pod: KubeObject) => boolean },
): { readonly reason: string; readonly message: string } | undefined {
  if (!hasImage(image, pod)) {
    const message = `failed to pull and unpack image "docker.io/${image}": failed to resolve reference "docker.io/${image}": not found`;
    return { reason: 'ErrImagePull', message };
  }
  for (const { valueFrom } of env) {
    const { name, optional } = valueFrom?.configMapKeyRef ?? valueFrom?.secretKeyRef ?? {};
    if (name === undefined || optional) continue;
    if (store.find(kindNamed('ConfigMap'), pod.metadata.namespace, name) === undefined)
      return { reason: 'CreateContainerConfigError', message: `configmap "${name}" not found` };
  }
  return undefined;
}
