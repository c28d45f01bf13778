/** What the runner reads of Kubernetes' objects: names, labels, indexes, the state of a Job and how long it took. */
import type { V1ContainerStatus, V1Job, V1Pod } from '@kubernetes/client-node';

/** Where a Job stands. */
export type JobState =
  | { readonly kind: 'running' }
  | { readonly kind: 'complete' }
  | { readonly kind: 'failed'; readonly reason: string; readonly message: string };

/** By its conditions, which alone are final. */
export function jobState({ status }: V1Job): JobState {
  const holds = (type: string) =>
    status?.conditions?.find((each) => each.type === type && each.status === 'True');
  if (holds('Complete') !== undefined) return { kind: 'complete' };
  const failed = holds('Failed');
  if (failed === undefined) return { kind: 'running' };
  return {
    kind: 'failed',
    reason: failed.reason ?? 'Failed',
    message: failed.message ?? 'the Job has failed',
  };
}

/** Seconds from its start to its end; from the watch these are texts, from a list they are dates. */
export function jobSeconds({ status }: V1Job): number {
  const time = (value: Date | string | undefined) =>
    value === undefined ? Number.NaN : new Date(value).getTime();
  const ended =
    status?.completionTime ?? status?.conditions?.find(({ type }) => type === 'Failed')?.lastTransitionTime;
  const seconds = (time(ended) - time(status?.startTime)) / 1000;
  return Number.isFinite(seconds) ? Math.max(0, seconds) : 0;
}

/** Labels or annotations. */
export type Labels = Record<string, string>;

/** The containers of a pod with what became of them, first ones first. */
export function containersOf(pod: V1Pod): readonly V1ContainerStatus[] {
  return [...(pod.status?.initContainerStatuses ?? []), ...(pod.status?.containerStatuses ?? [])];
}

/** The name of an object; every one that a server returns has one. */
export const nameOf = ({ metadata }: V1Job | V1Pod): string => metadata?.name ?? '';

/** The indexes that a Job names in its status: `1,3-5` are four. */
export function indexesIn(ranges: string | undefined): ReadonlySet<number> {
  const spans = (ranges ?? '').split(',').filter((span) => span !== '');
  return new Set(
    spans
      .map((span) => span.split('-').map(Number))
      .flatMap(([from = 0, to = from]) => Array.from({ length: to - from + 1 }, (_, at) => from + at)),
  );
}

/** The completion index of an Indexed Job's pod. */
export function indexOf({ metadata }: V1Pod): number | undefined {
  const index = metadata?.annotations?.['batch.kubernetes.io/job-completion-index'];
  return index === undefined ? undefined : Number(index);
}
