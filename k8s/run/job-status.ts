/** Reads a Job: whether it runs, is complete, or has failed, and why. */
import type { V1Job } from '@kubernetes/client-node';

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
