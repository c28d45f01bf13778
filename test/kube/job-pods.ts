/** The pods of a Job: how they are made from its template, and which are whose. */
import type { KubeObject } from './objects.js';

export const INDEX = 'batch.kubernetes.io/job-completion-index';

/** The pod of an index. */
export function podOf(job: KubeObject, index: number): KubeObject {
  const { name, namespace = '', uid = '' } = job.metadata;
  const isIndexed = job.spec.completionMode === 'Indexed';
  const { metadata = {}, spec } = job.spec.template;
  const marks = isIndexed ? { [INDEX]: `${index}` } : {};
  const suffix = Math.random().toString(36).slice(2, 7).padEnd(5, '0');
  const variable = isIndexed ? [{ name: 'JOB_COMPLETION_INDEX', value: `${index}` }] : [];
  const withIndex = (container: KubeObject) => ({
    ...container,
    env: [...(container.env ?? []), ...variable],
  });
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: `${name}-${isIndexed ? `${index}-` : ''}${suffix}`,
      namespace,
      labels: {
        ...metadata.labels,
        ...marks,
        'batch.kubernetes.io/job-name': name,
        'batch.kubernetes.io/controller-uid': uid,
        'job-name': name,
      },
      annotations: { ...metadata.annotations, ...marks },
      ownerReferences: [{ apiVersion: 'batch/v1', kind: 'Job', name, uid, controller: true }] as never,
    },
    spec: {
      ...spec,
      ...(spec.initContainers === undefined ? {} : { initContainers: spec.initContainers.map(withIndex) }),
      containers: spec.containers.map(withIndex),
    },
    status: { phase: 'Pending' },
  };
}

/** Whether an object belongs to another. */
export const isOwnedBy = ({ metadata }: KubeObject, owner: KubeObject): boolean =>
  metadata.ownerReferences?.some(({ uid }) => uid === owner.metadata.uid) ?? false;

/** The index that a pod works on. */
export const indexOf = ({ metadata }: KubeObject): number => Number(metadata.annotations?.[INDEX] ?? 0);
