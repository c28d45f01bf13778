/** Waits for a Job: tells what its pods do, and gives up at once on what waiting will not mend. */
import type { V1Job, V1Pod } from '@kubernetes/client-node';
import { InterruptedError, StageError } from '../../lib/federation/errors.js';
import { createBell, forMany } from '../../lib/system/abort.js';
import { type JobContext, removeJob } from './ensure-job.js';
import { startFeed } from './feed.js';
import { type JobState, jobState } from './job-status.js';
import { followPods, MAX_FOLLOWED } from './pod-logs.js';
import { type PodPhase, type PodTrouble, podEnding, podPhase, podTrouble } from './pod-status.js';
import { indexOf, nameOf } from './types.js';

/** What to wait for. */
export interface WaitContext extends JobContext {
  /** How long a Job may wait for a node while none of its pods runs. */
  readonly scheduleTimeoutMs: number;
  readonly isVerbose: boolean;
}

/** The Job and how its messages name it. */
export interface WaitedJob {
  readonly job: V1Job;
  /** `train round 2`: in front of what is said of the Job. */
  readonly title: string;
  /** The client of an index, where pods have one. */
  readonly clientAt?: (index: number) => number | undefined;
}

/** A Job that has come to an end, and its pods; none of them runs any more. */
export interface EndedJob {
  readonly job: V1Job;
  readonly state: Exclude<JobState, { readonly kind: 'running' }>;
  readonly pods: readonly V1Pod[];
}

/** Who listens to the end of a wait beside the logs: two feeds, and the wait itself. */
const OTHER_LISTENERS = 3;
/** Between two looks where nothing was heard. */
const LOOK_MS = 5_000;
/** A Job without pods for so long is asked for its events: a quota or an admission rule may hold them back. */
const NO_PODS_MS = 10_000;
/** After a Job's end, its pods have 30 s to stop; what is there then lies on a node that is lost. */
const STUCK_MS = 60_000;
/** Between two lines about the phases of pods. */
const TELL_MS = 5_000;

/**
 * Waits until the Job is complete or has failed, and its pods have ended.
 *
 * @throws {StageError} when a pod cannot start; the Job is deleted then, so that nothing stays behind
 * @throws {InterruptedError} when `signal` aborts; the Job goes on then
 */
export async function waitForJob(waited: WaitedJob, context: WaitContext): Promise<EndedJob> {
  const { api, signal, reporter } = context;
  const { job, title, clientAt } = waited;
  const stop = new AbortController();
  const ending = forMany(AbortSignal.any([signal, stop.signal]), MAX_FOLLOWED + OTHER_LISTENERS);
  const bell = createBell();
  const onChange = bell.ring;
  const jobs = startFeed<V1Job>(
    {
      list: () => api.listJobs({ fields: `metadata.name=${nameOf(job)}` }),
      watch: (version, onEvent, until) =>
        api.watch('jobs', { version, fields: `metadata.name=${nameOf(job)}`, onEvent, signal: until }),
    },
    { onChange, signal: ending },
  );
  const ofJob = { labels: `batch.kubernetes.io/controller-uid=${job.metadata?.uid}` };
  const pods = startFeed<V1Pod>(
    {
      list: () => api.listPods(ofJob),
      watch: (version, onEvent, until) => api.watch('pods', { version, ...ofJob, onEvent, signal: until }),
    },
    { onChange, signal: ending },
  );
  const clientOf = (pod: V1Pod) => {
    const index = indexOf(pod);
    return index === undefined ? undefined : clientAt?.(index);
  };
  const nameOfPod = (pod: V1Pod) => (clientOf(pod) === undefined ? title : `train client ${clientOf(pod)}`);
  const logs = followPods({
    api,
    reporter,
    signal: ending,
    nameOfPod,
    clientOf,
    isVerbose: context.isVerbose,
  });
  let overAt: number | undefined;
  const watchman = createWatchman(waited, { ...context, nameOfPod });
  try {
    for (;;) {
      const [known, own = []] = [jobs.items(), pods.items()];
      const current = known?.find(({ metadata }) => metadata?.uid === job.metadata?.uid);
      if (known !== undefined && current === undefined) {
        throw new StageError(
          title,
          `the Job ${nameOf(job)} was deleted by somebody else: the same command makes it anew.`,
        );
      }
      logs.update(own);
      if (current !== undefined && pods.items() !== undefined) {
        const state = jobState(current);
        if (state.kind === 'running') await watchman.look(current, own);
        else {
          overAt ??= Date.now();
          const isStuck = Date.now() - overAt > STUCK_MS;
          if (isStuck || own.every(hasEnded)) return { job: current, state, pods: own };
        }
      }
      await bell.wait({ ms: LOOK_MS, signal: ending });
    }
  } catch (error) {
    if (signal.aborted) throw new InterruptedError();
    throw error;
  } finally {
    stop.abort();
    reporter.close();
  }
}

const hasEnded = (pod: V1Pod): boolean => ['Succeeded', 'Failed'].includes(pod.status?.phase ?? '');

/** Tells what pods do, and throws when they cannot. */
function createWatchman(
  { title }: WaitedJob,
  context: WaitContext & { readonly nameOfPod: (pod: V1Pod) => string },
) {
  const { api, reporter, scheduleTimeoutMs, nameOfPod } = context;
  const told = new Set<string>();
  const startedAt = Date.now();
  let lastRunningAt = startedAt;
  let line = '';
  let lineAt = 0;
  let hasAskedEvents = false;
  const giveUp = async (job: V1Job, trouble: PodTrouble): Promise<never> => {
    const { message, reason, advice } = trouble;
    reporter.close();
    await removeJob(job, context);
    throw new StageError(
      title,
      `${message} (${reason}). The Job ${nameOf(job)} was deleted. Next: ${advice}.`,
    );
  };
  return {
    async look(job: V1Job, pods: readonly V1Pod[]): Promise<void> {
      const now = Date.now();
      const phases = pods.map(podPhase);
      if (phases.some((phase) => phase !== 'waiting for a node')) lastRunningAt = now;
      for (const pod of pods) {
        const trouble = podTrouble(pod);
        if (trouble === undefined) tellFailure(pod);
        else if (trouble.isFinal || now - lastRunningAt > scheduleTimeoutMs) await giveUp(job, trouble);
        else tellOnce(`${nameOfPod(pod)}: ${trouble.message}`);
      }
      if (pods.length === 0 && !hasAskedEvents && now - startedAt > NO_PODS_MS) {
        hasAskedEvents = true;
        const trouble = await whyNoPods(job);
        if (trouble !== undefined) await giveUp(job, trouble);
      }
      tellPhases(phases, now);
    },
  };
  function tellOnce(text: string): void {
    if (told.has(text)) return;
    told.add(text);
    reporter.warn(`${text}.`);
  }
  /** The Job's own controller tries again, as often as it may. */
  function tellFailure(pod: V1Pod): void {
    if (podPhase(pod) !== 'failed' || told.has(nameOf(pod))) return;
    told.add(nameOf(pod));
    reporter.warn(`${nameOfPod(pod)}: ${podEnding(pod).reason}.`);
  }
  function tellPhases(phases: readonly PodPhase[], now: number): void {
    const open = phases.filter((phase) => phase === 'waiting for a node' || phase === 'starting');
    const text = open.length === 0 ? '' : describePhases(phases);
    if (text === line || text === '' || now - lineAt < TELL_MS || now - startedAt < TELL_MS) return;
    line = text;
    lineAt = now;
    reporter.info(`${title.padEnd(16)}  ${text}`);
  }
  async function whyNoPods(job: V1Job): Promise<PodTrouble | undefined> {
    const events = await api.listEvents({ fields: `involvedObject.uid=${job.metadata?.uid}` });
    const refused = events.find(({ reason }) => reason === 'FailedCreate');
    if (refused === undefined) return undefined;
    const advice = 'ask for less, or have the quota or the admission rule changed';
    return {
      reason: 'FailedCreate',
      message: refused.message ?? 'its pods are refused',
      isFinal: true,
      advice,
    };
  }
}

/** `2 running, 1 waiting for a node`. */
function describePhases(phases: readonly PodPhase[]): string {
  const counts = new Map<PodPhase, number>();
  for (const phase of phases) counts.set(phase, (counts.get(phase) ?? 0) + 1);
  return [...counts].map(([phase, number]) => `${number} ${phase}`).join(', ');
}
