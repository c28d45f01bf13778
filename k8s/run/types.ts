/** What the runner's files share: labels, and the parts of Kubernetes objects that they read. */
import type { V1ContainerStatus, V1Job, V1Pod } from '@kubernetes/client-node';

/** Labels or annotations. */
export type Labels = Record<string, string>;

/** The containers of a pod with what became of them, first ones first. */
export function containersOf(pod: V1Pod): readonly V1ContainerStatus[] {
  return [...(pod.status?.initContainerStatuses ?? []), ...(pod.status?.containerStatuses ?? [])];
}

/** The name of an object; every one that a server returns has one. */
export const nameOf = ({ metadata }: V1Job | V1Pod): string => metadata?.name ?? '';

/** The completion index of an Indexed Job's pod. */
export function indexOf({ metadata }: V1Pod): number | undefined {
  const index = metadata?.annotations?.['batch.kubernetes.io/job-completion-index'];
  return index === undefined ? undefined : Number(index);
}
