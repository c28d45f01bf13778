/** Waits for a Job: tells what its pods do, and gives up at once on what waiting will not mend. */
import type { V1Job, V1Pod } from '@kubernetes/client-node';
import { InterruptedError, StageError } from '../../lib/core/errors.js';
import type { ProgressEvent, Reporter } from '../../lib/observability/events.js';
import { createBell, forMany } from '../../lib/system/abort.js';
import type { StageCommand } from '../../pipeline/commands/stage-commands.js';
import { stageName } from '../../pipeline/rounds/target.js';
import { type JobContext, removeJob } from './ensure-job.js';
import { startFeed } from './feed.js';
import { indexOf, type JobState, jobState, type Labels, nameOf } from './job-status.js';
import { NOT_STARTED_ANNOTATION, OTHER_INDEXES } from './names.js';
import { followPods, MAX_FOLLOWED } from './pod-logs.js';
import { type PodTrouble, podPhase } from './pod-status.js';
import { createWatchman } from './watchman.js';
import { NOTICE_MS, type Waiting } from './why-waiting.js';

/** Who waits. */
export interface WaitContext extends JobContext {
  readonly isVerbose: boolean;
}

/** The Job and how its messages name it. */
export interface WaitedJob {
  readonly job: V1Job;
  /** `train round 2`: in front of what is said of the Job. */
  readonly title: string;
  /** The round that it works for. */
  readonly part?: Pick<ProgressEvent, 'round' | 'rounds'>;
  /** The clients of an index, where pods have some, and the stage that they are in. */
  readonly clients?: {
    readonly stage: StageCommand['stage'];
    readonly at: (index: number) => readonly number[];
  };
  /** Pods that are enough where the others cannot start; by default all. */
  readonly quorum?: number | undefined;
}

/** A Job that has come to an end, or is stuck, and its pods; none of them runs any more. */
export interface EndedJob {
  readonly job: V1Job;
  readonly state: JobState;
  /** Those that are there, and those that had succeeded before they were deleted. */
  readonly pods: readonly V1Pod[];
  /** The others that were deleted, as they were last seen. */
  readonly gone: readonly V1Pod[];
  /** Why it goes on and is waited for no longer. */
  readonly stuck?: PodTrouble;
}

/** Who listens to the end of a wait beside the logs: two feeds, and the wait itself. */
const OTHER_LISTENERS = 3;
/** After a Job's end, its pods have 30 s to stop; what is there then lies on a node that is lost. */
const STUCK_MS = 60_000;

/**
 * Waits until the Job is complete or has failed, and its pods have ended. Where pods cannot start, the Job ends with what
 * is done, if that is the quorum; else the wait ends and the Job stays, for the same command to go on with.
 *
 * @throws {StageError} when pods cannot start and nothing is done; the Job is deleted then
 * @throws {InterruptedError} when `signal` aborts; the Job goes on then
 */
export async function waitForJob(waited: WaitedJob, context: WaitContext): Promise<EndedJob> {
  const { api, signal } = context;
  const { job, title, part, clients } = waited;
  /** Stages that have told how far they are. */
  const shown = new Set<ProgressEvent['stage']>();
  const reporter: Reporter = {
    ...context.reporter,
    progress(event) {
      shown.add(event.stage);
      context.reporter.progress(event);
    },
  };
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
  // What the watch tells may be older than what a list does.
  const listPods = async (): Promise<Pick<EndedJob, 'pods' | 'gone'>> => {
    const { items } = await api.listPods(ofJob);
    const there = new Set(items.map(nameOf));
    const gone = pods.seen().filter((pod) => !there.has(nameOf(pod)));
    return {
      pods: [...items, ...gone.filter(hasSucceeded)],
      gone: gone.filter((pod) => !hasSucceeded(pod)),
    };
  };
  const clientsOf = (pod: V1Pod): readonly number[] => {
    const index = indexOf(pod);
    return index === undefined ? [] : (clients?.at(index) ?? []);
  };
  const nameOfPod = (pod: V1Pod) => {
    const [client, ...others] = clientsOf(pod);
    return client === undefined || clients === undefined || others.length > 0
      ? title
      : stageName({ ...clients, client });
  };
  const logs = followPods({
    api,
    reporter,
    signal: ending,
    nameOfPod,
    clientsOf,
    part,
    isVerbose: context.isVerbose,
  });
  let overAt: number | undefined;
  let isTold = false;
  let isEnding = false;
  const watchman = createWatchman({ ...context, title, clientsOf });
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
      if (clients !== undefined) showClients({ ...clients, ...part }, current, reporter);
      if (current !== undefined && pods.items() !== undefined) {
        const state = jobState(current);
        if (state.kind === 'running') {
          const stuck = isEnding ? undefined : await watchman.look(current, own);
          const made = stuck && (await settle(stuck, { job: current, waited, context, listPods }));
          if (made === 'ending') isEnding = true;
          else if (made !== undefined) return made;
        } else {
          overAt ??= Date.now();
          const overMs = Date.now() - overAt;
          const isStuck = overMs > STUCK_MS;
          if (isStuck || own.every(hasEnded)) {
            const listed = await listPods();
            if (isStuck || listed.pods.every(hasEnded)) return { job: current, state, ...listed };
          }
          if (overMs > NOTICE_MS && !isTold)
            reporter.warn(`${title}: the Job has ended; waiting for its pods to stop.`);
          isTold ||= overMs > NOTICE_MS;
        }
      }
      await bell.wait({ ms: watchman.lookMs, signal: ending });
    }
  } catch (error) {
    if (signal.aborted) throw new InterruptedError();
    throw error;
  } finally {
    stop.abort();
    for (const stage of shown) reporter.close({ stage });
  }
}

/** What a command says that is interrupted while Jobs of a run are there. */
export function interruptedRun(run: string, cause: unknown): InterruptedError {
  const message = `Interrupted. What runs in the cluster goes on; the same command waits for it again, and npx fedbatch k8s delete --run ${run} ends it.`;
  return new InterruptedError(message, { cause });
}

/** How many clients are done. */
function showClients(
  { stage, round, rounds }: Pick<NonNullable<WaitedJob['clients']>, 'stage'> & NonNullable<WaitedJob['part']>,
  job: V1Job | undefined,
  reporter: Reporter,
): void {
  const total = job?.spec?.completions ?? 1;
  const done = job?.status?.succeeded ?? 0;
  if (done >= total || stage === 'init') return;
  const part = { ...(round === undefined ? {} : { round }), ...(rounds === undefined ? {} : { rounds }) };
  reporter.progress({ stage, ...part, done, total, unit: 'clients' });
}

const hasSucceeded = ({ status }: V1Pod): boolean => status?.phase === 'Succeeded';

const hasEnded = (pod: V1Pod): boolean => ['Succeeded', 'Failed'].includes(pod.status?.phase ?? '');

/**
 * What is made of pods that wait in vain: where the others are enough, their Job is ended; where they are not, it is left.
 *
 * @returns undefined where a pod has begun to work meanwhile
 * @throws {StageError} with the next step where nothing is done; the Job is deleted then
 */
async function settle(
  waits: readonly Waiting[],
  {
    job,
    waited: { title, quorum = Number.POSITIVE_INFINITY },
    context,
    listPods,
  }: {
    readonly job: V1Job;
    readonly waited: WaitedJob;
    readonly context: WaitContext;
    readonly listPods: () => Promise<Pick<EndedJob, 'pods' | 'gone'>>;
  },
): Promise<EndedJob | 'ending' | undefined> {
  const { api, reporter } = context;
  const listed = await listPods();
  const { pods } = listed;
  if (pods.some((pod) => podPhase(pod) === 'running')) return undefined;
  const [first] = waits;
  const done = pods.filter(hasSucceeded).length;
  if (first === undefined) return undefined;
  const { message, reason, advice } = first.trouble;
  if (done === 0) {
    reporter.close();
    await removeJob(job, context);
    throw new StageError(
      title,
      `${message} (${reason}). The Job ${nameOf(job)} was deleted. Next: ${advice}.`,
    );
  }
  const annotations = notStarted(waits);
  if (done < quorum) {
    const marked = { ...job, metadata: { ...job.metadata, annotations } };
    return { job: marked, state: jobState(job), ...listed, stuck: first.trouble };
  }
  await api.endJob(nameOf(job), annotations);
  return 'ending';
}

/** Why a client is missing whose pod could not start. */
export const notStartedFor = ({ message, reason }: PodTrouble): string =>
  `not started: ${message} (${reason})`;

/** Why the indexes did not start, for the Job's annotation. */
function notStarted(waits: readonly Waiting[]): Labels {
  const reasons: Record<string, string> = {};
  for (const { trouble, pods } of waits) {
    const keys = pods.length === 0 ? [OTHER_INDEXES] : pods.map((pod) => `${indexOf(pod)}`);
    for (const key of keys) reasons[key] = notStartedFor(trouble);
  }
  return { [NOT_STARTED_ANNOTATION]: JSON.stringify(reasons) };
}
