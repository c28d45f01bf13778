/** Sees to it that a Job is there, or gone: takes the one of an earlier attempt as it is, or makes it anew; never changes one. */
import type { V1Job } from '@kubernetes/client-node';
import { StageError, UsageError } from '../../lib/core/errors.js';
import type { Reporter } from '../../lib/observability/events.js';
import { pause } from '../../lib/system/abort.js';
import type { ClusterApi } from './cluster-api.js';
import { jobState, nameOf } from './job-status.js';
import { POD_ANNOTATION, runSelector, STAGE_LABEL, WORK_ANNOTATION } from './names.js';
import { kubectlFor } from './pod-status.js';
import type { PlannedJob } from './stage-jobs.js';
import { noticeAfter } from './why-waiting.js';

/** Who makes Jobs, and for whom. */
export interface JobContext {
  readonly api: ClusterApi;
  readonly reporter: Reporter;
  readonly signal: AbortSignal;
  /** How long nothing may happen of what the cluster is asked for. */
  readonly scheduleTimeoutMs: number;
  /** The names of runs that share a sweep: these make room for each other, as a run's own Jobs do. */
  readonly siblings?: ReadonlySet<string> | undefined;
}

/** Whether an earlier attempt has made a Job: it was done then, or was still at work. */
export type FoundJob = 'done' | 'running' | undefined;

/** A Job that is there. */
interface EnsuredJob {
  readonly job: V1Job;
  readonly found: FoundJob;
}

/** Between two looks at a Job that is being deleted: its pods have 30 s to end. */
const LOOK_MS = 500;

/**
 * The Job that does the planned work. A finished one of the same work is taken with its result, and a failed one of
 * which enough is done; one that runs is taken and waited for; any other that is over is deleted and made anew.
 *
 * @throws {UsageError} when a Job of other work runs under that name
 */
export async function ensureJob(planned: PlannedJob, context: JobContext): Promise<EnsuredJob> {
  const { api, signal } = context;
  const name = nameOf(planned.job);
  for (;;) {
    const existing = await api.findJob(name);
    if (existing === undefined) {
      if (planned.facts !== undefined) await api.applyConfigMap(planned.facts);
      const created = await api.createJob(planned.job);
      if (created !== undefined) return { job: created, found: undefined };
      // Somebody was faster, or an answer was lost on its way: what is there now will tell.
      await pause(LOOK_MS, signal);
      continue;
    }
    if (isUsable(existing, planned)) {
      const found = jobState(existing).kind === 'running' ? 'running' : 'done';
      if (found === 'running') tellFound(existing, planned, context);
      return { job: existing, found };
    }
    tellAnew(existing, planned, context);
    await removeJob(existing, context);
  }
}

/**
 * Deletes a Job with its pods, and waits until they are gone: nothing of it writes any more.
 *
 * @throws {StageError} when they do not go
 */
export async function removeJob(job: V1Job, context: JobContext): Promise<void> {
  const { api, signal, reporter, scheduleTimeoutMs } = context;
  const name = nameOf(job);
  if (job.metadata?.deletionTimestamp === undefined) await api.deleteJob(name);
  const since = Date.now();
  const where = kubectlFor(job, `get pods --selector batch.kubernetes.io/job-name=${name} --output wide`);
  for (let isTold = false; ; ) {
    const left = await api.findJob(name);
    if (left === undefined || left.metadata?.uid !== job.metadata?.uid) return;
    const waitedMs = Date.now() - since;
    if (waitedMs > scheduleTimeoutMs) {
      const seconds = Math.round(waitedMs / 1000);
      throw new StageError(
        name,
        `the Job was deleted ${seconds} s ago, and its pods do not end. Next: ${where} shows where they are; ` +
          'kubectl delete pod --force removes those of a node that is lost for good.',
      );
    }
    if (!isTold && waitedMs > noticeAfter(scheduleTimeoutMs)) {
      isTold = true;
      reporter.warn(`The Job ${name} is deleted and not gone yet: waiting for its pods to end.`);
    }
    await pause(LOOK_MS, signal);
  }
}

/** @throws {UsageError} when it runs and does other work */
function isUsable(existing: V1Job, { job, isFresh, quorum }: PlannedJob): boolean {
  if (existing.metadata?.deletionTimestamp !== undefined) return false;
  const isAsAsked = (annotation: string) =>
    existing.metadata?.annotations?.[annotation] === job.metadata?.annotations?.[annotation];
  const isSame = isAsAsked(WORK_ANNOTATION);
  const { kind } = jobState(existing);
  if (kind === 'running' && isSame && isAsAsked(POD_ANNOTATION)) return true;
  if (kind === 'running' && !isFresh) {
    throw new UsageError(
      `The Job ${nameOf(existing)} runs already, with other settings, images or resources: wait for it, or stop that run with ` +
        `npx fedbatch k8s delete --run ${existing.metadata?.labels?.['fedbatch.io/run'] ?? nameOf(existing)}.`,
    );
  }
  const isEnough =
    kind === 'complete' || (existing.status?.succeeded ?? 0) >= (quorum ?? Number.POSITIVE_INFINITY);
  return isEnough && isSame && !isFresh;
}

/** What options may say otherwise of a Job that runs: it goes by what it was made with. */
const LIMITS = {
  backoffLimitPerIndex: '--retries',
  maxFailedIndexes: '--quorum',
  activeDeadlineSeconds: '--round-deadline',
} as const;

function tellFound(existing: V1Job, { job, quorum }: PlannedJob, { reporter }: JobContext): void {
  const others = Object.entries(LIMITS).filter(([field]) => {
    const limit = field as keyof typeof LIMITS;
    return quorum !== undefined && existing.spec?.[limit] !== job.spec?.[limit];
  });
  const flags = others.map(([, flag]) => flag).join(', ');
  const limits = flags === '' ? '' : ` It was made with another ${flags}, which stays.`;
  reporter.info(`The Job ${nameOf(existing)} of an earlier attempt runs: waiting for it.${limits}`);
}

function tellAnew(existing: V1Job, { isFresh }: PlannedJob, { reporter }: JobContext): void {
  const state = jobState(existing);
  const name = nameOf(existing);
  if (state.kind === 'failed')
    reporter.info(`The Job ${name} of an earlier attempt has failed (${state.reason}): made anew.`);
  else if (!isFresh) reporter.info(`The Job ${name} is of other settings or images: made anew.`);
}

/** Deletes the Jobs of a run with their pods, and waits until they are gone. Returns how many there were. */
export async function deleteRun(run: string, context: JobContext): Promise<number> {
  const { api } = context;
  const { items: jobs } = await api.listJobs({ labels: runSelector(run) });
  await Promise.all(jobs.map((job) => removeJob(job, context)));
  await deleteFacts(api, run);
  return jobs.length;
}

/** Deletes the Jobs of a run but for the one that has just opened its volume: what they made lies there no longer. */
export async function forgetStages(run: string, context: JobContext): Promise<void> {
  const { items: jobs } = await context.api.listJobs({ labels: `${runSelector(run)},${STAGE_LABEL}!=start` });
  await Promise.all(jobs.map((job) => removeJob(job, context)));
}

async function deleteFacts(api: ClusterApi, run: string): Promise<void> {
  for (const { metadata } of await api.listConfigMaps({ labels: runSelector(run) })) {
    await api.deleteConfigMap(metadata?.name ?? '');
  }
}
