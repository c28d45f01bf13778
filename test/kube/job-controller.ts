/** The Job controller: makes pods for Jobs, tries again by their limits and policies, and says how they ended. */
import { policyFor } from './failure-policy.js';
import { indexOf, isOwnedBy, podOf } from './job-pods.js';
import { type KubeObject, kindNamed } from './objects.js';
import { type Store, tell, timestamp } from './store.js';

/** Before a failed pod is followed by the next one; a real cluster begins with 10 s. */
const BACKOFF_MS = 100;

const JOBS = kindNamed('Job');
const PODS = kindNamed('Pod');

/** What a controller works with. */
interface JobControllerOptions {
  readonly deletePod: (pod: KubeObject) => void;
  /** Whether a quota has no room for a pod. */
  readonly refusesPod: (pod: KubeObject) => boolean;
  /** Whether a queue holds a Job back. */
  readonly suspends: (job: KubeObject) => boolean;
}

/** Starts the controller on a store; the result stops it. */
export function startJobController(store: Store, options: JobControllerOptions): () => void {
  const timers = new Set<NodeJS.Timeout>();
  const queued = new Set<string>();
  let isStopped = false;
  const later = (ms: number, task: () => void) => {
    const timer = setTimeout(() => {
      timers.delete(timer);
      if (!isStopped) task();
    }, ms);
    timers.add(timer);
  };
  const enqueue = (namespace: string | undefined, name: string) => {
    const key = `${namespace}/${name}`;
    if (queued.has(key)) return;
    queued.add(key);
    setImmediate(() => {
      queued.delete(key);
      const job = isStopped ? undefined : store.find(JOBS, namespace, name);
      if (job !== undefined) sync(job, { ...options, store, later, again: () => enqueue(namespace, name) });
    });
  };
  const unsubscribe = store.subscribe(({ resource, object }) => {
    if (resource === JOBS) enqueue(object.metadata.namespace, object.metadata.name);
    const owner =
      resource === PODS ? object.metadata.ownerReferences?.find(({ kind }) => kind === 'Job') : undefined;
    if (owner !== undefined) enqueue(object.metadata.namespace, owner.name);
  });
  return () => {
    isStopped = true;
    unsubscribe();
    for (const timer of timers) clearTimeout(timer);
  };
}

interface Context extends JobControllerOptions {
  readonly store: Store;
  readonly later: (ms: number, task: () => void) => void;
  readonly again: () => void;
}

/** What became of one index so far. */
interface IndexState {
  readonly index: number;
  readonly succeeded: boolean;
  readonly failed: boolean;
  readonly active: readonly KubeObject[];
  readonly failures: number;
}

function sync(job: KubeObject, context: Context): void {
  const { store, deletePod, refusesPod, suspends, later, again } = context;
  // A Job that is deleted in the foreground goes when its pods are gone.
  if (job.metadata.deletionTimestamp !== undefined) {
    if (!store.list(PODS, job.metadata.namespace).some((pod) => isOwnedBy(pod, job))) store.remove(job);
    return;
  }
  if (isFinished(job)) return;
  const { spec } = job;
  // A real queue's webhook sets it before the Job is there, and takes it back when the Job's turn has come.
  if (spec.suspend !== suspends(job)) {
    store.change(job, (current) => {
      current.spec.suspend = suspends(job);
    });
    return;
  }
  if (spec.suspend) {
    const { name, namespace = '', uid } = job.metadata;
    const workload = {
      ...job,
      kind: 'Workload',
      metadata: { name: `job-${name}-4fac8`, namespace, uid: `${uid}-w` },
    };
    const message = "couldn't assign flavors to pod set main: insufficient quota for memory in flavor any";
    tell(store, workload, { reason: 'Pending', message });
    later(BACKOFF_MS, again);
    return;
  }
  if (job.status?.startTime === undefined) {
    store.change(job, (current) => {
      current.status = { ...current.status, startTime: timestamp() };
    });
    if (spec.activeDeadlineSeconds !== undefined) later(spec.activeDeadlineSeconds * 1000, again);
    return;
  }
  const pods = store.list(PODS, job.metadata.namespace).filter((pod) => isOwnedBy(pod, job));
  const judged = judge(job, pods);
  const active = judged.states.flatMap((state) => state.active);
  const ending = endingOf(job, judged);
  if (ending !== undefined) {
    if (ending.type === 'Failed') for (const pod of active) deletePod(pod);
    finish(job, { ending, judged, active: ending.type === 'Failed' ? [] : active }, context);
    return;
  }
  let room = (spec.parallelism ?? 1) - active.length;
  for (const { index, succeeded, failed, active: own, failures } of judged.states) {
    if (succeeded || failed || own.length > 0 || room <= 0) continue;
    const waitMs = failures === 0 ? 0 : BACKOFF_MS - (Date.now() - lastEnd(pods, index));
    room--;
    if (waitMs > 0) later(waitMs, again);
    else if (refusesPod(podOf(job, index))) {
      const message = `Error creating: pods "${podOf(job, index).metadata.name}" is forbidden: exceeded quota: team, requested: pods=1, used: pods=3, limited: pods=3`;
      tell(store, job, { reason: 'FailedCreate', message });
      later(BACKOFF_MS, again);
    } else store.create(podOf(job, index));
  }
  record(job, { judged, active }, context);
}

interface Judged {
  readonly states: readonly IndexState[];
  /** Why a failed pod ends the whole Job. */
  readonly failJob: string | undefined;
  readonly counted: number;
}

function judge(job: KubeObject, pods: readonly KubeObject[]): Judged {
  const { spec, status: recorded } = job;
  let failJob: string | undefined;
  let counted = 0;
  const states = Array.from({ length: spec.completions ?? 1 }, (_, index): IndexState => {
    const own = pods.filter((pod) => indexOf(pod) === index);
    let failures = 0;
    let failIndex = false;
    for (const pod of own.filter(({ status }) => status?.phase === 'Failed')) {
      const { action, why } = policyFor(spec.podFailurePolicy, pod);
      if (action === 'FailJob') failJob ??= why;
      if (action === 'FailIndex') failIndex = true;
      if (action !== 'Ignore') failures++;
    }
    counted += failures;
    const isOver = spec.backoffLimitPerIndex !== undefined && failures > spec.backoffLimitPerIndex;
    return {
      index,
      // What is counted stays so when the pod is deleted.
      succeeded:
        own.some(({ status }) => status?.phase === 'Succeeded') || isIn(recorded?.completedIndexes, index),
      failed: failIndex || isOver || isIn(recorded?.failedIndexes, index),
      active: own.filter(({ status }) => isOpen(status?.phase)),
      failures,
    };
  });
  return { states, failJob, counted };
}

interface Ending {
  readonly type: 'Complete' | 'Failed';
  readonly reason?: string;
  readonly message?: string;
}

function endingOf({ spec, status }: KubeObject, { states, failJob, counted }: Judged): Ending | undefined {
  const failed = states.filter((state) => state.failed).length;
  const isOpen = states.some((state) => !state.succeeded && !state.failed);
  const fail = (reason: string, message: string): Ending => ({ type: 'Failed', reason, message });
  if (failJob !== undefined) return fail('PodFailurePolicy', failJob);
  if (spec.backoffLimitPerIndex === undefined && counted > (spec.backoffLimit ?? 6))
    return fail('BackoffLimitExceeded', 'Job has reached the specified backoff limit');
  if (spec.maxFailedIndexes !== undefined && failed > spec.maxFailedIndexes)
    return fail(
      'MaxFailedIndexesExceeded',
      'Job has exceeded the specified maximal number of failed indexes',
    );
  if (!isOpen) return failed > 0 ? fail('FailedIndexes', 'Job has failed indexes') : { type: 'Complete' };
  const ranMs = Date.now() - Date.parse(status.startTime);
  if (spec.activeDeadlineSeconds !== undefined && ranMs >= spec.activeDeadlineSeconds * 1000)
    return fail('DeadlineExceeded', 'Job was active longer than specified deadline');
  return undefined;
}

interface Progress {
  readonly judged: Judged;
  readonly active: readonly KubeObject[];
}

function record(job: KubeObject, { judged, active }: Progress, { store }: Context): void {
  store.change(job, (current) => {
    current.status = { ...current.status, ...statusOf(job, { judged, active }) };
  });
}

function finish(
  job: KubeObject,
  { ending, ...progress }: Progress & { readonly ending: Ending },
  { store, later, deletePod }: Context,
): void {
  const { type, ...why } = ending;
  const now = timestamp();
  const condition = { type, status: 'True', ...why, lastProbeTime: now, lastTransitionTime: now };
  const done = store.change(job, (current) => {
    const completionTime = type === 'Complete' ? { completionTime: now } : {};
    current.status = {
      ...current.status,
      ...statusOf(job, progress),
      ...completionTime,
      conditions: [condition],
    };
  });
  const { ttlSecondsAfterFinished: ttl } = job.spec;
  if (done === undefined || ttl === undefined) return;
  later(ttl * 1000, () => {
    const current = store.find(JOBS, done.metadata.namespace, done.metadata.name);
    if (current?.metadata.uid !== done.metadata.uid) return;
    store.remove(done);
    for (const pod of store.list(PODS).filter((each) => isOwnedBy(each, done))) deletePod(pod);
  });
}

function statusOf({ spec }: KubeObject, { judged: { states, counted }, active }: Progress): object {
  const those = (is: (state: IndexState) => boolean) => states.filter(is).map(({ index }) => index);
  const succeeded = those((state) => state.succeeded);
  return {
    active: active.length,
    ready: active.filter(({ status }) => status?.phase === 'Running').length,
    succeeded: succeeded.length,
    failed: counted,
    terminating: 0,
    ...(spec.completionMode === 'Indexed' ? { completedIndexes: ranges(succeeded) } : {}),
    ...(spec.backoffLimitPerIndex === undefined
      ? {}
      : { failedIndexes: ranges(those((state) => state.failed)) }),
  };
}

/** `[0, 1, 2, 5]` → `0-2,5`. */
function ranges(indexes: readonly number[]): string {
  const runs: [number, number][] = [];
  for (const index of indexes) {
    const last = runs.at(-1);
    if (last !== undefined && last[1] === index - 1) last[1] = index;
    else runs.push([index, index]);
  }
  return runs.map(([from, to]) => (from === to ? `${from}` : `${from}-${to}`)).join(',');
}

const isIn = (spans: string | undefined, index: number): boolean =>
  (spans ?? '').split(',').some((span) => {
    const [from = '', to = from] = span.split('-');
    return from !== '' && Number(from) <= index && index <= Number(to);
  });

function lastEnd(pods: readonly KubeObject[], index: number): number {
  const ends = pods
    .filter((pod) => indexOf(pod) === index)
    .flatMap(({ status }) => [...(status.initContainerStatuses ?? []), ...(status.containerStatuses ?? [])])
    .map(({ state }) => Date.parse(state?.terminated?.finishedAt ?? ''))
    .filter((time) => !Number.isNaN(time));
  return Math.max(0, ...ends);
}

const isOpen = (phase: string | undefined): boolean => !['Succeeded', 'Failed'].includes(phase ?? '');

const isFinished = ({ status }: KubeObject): boolean =>
  (status?.conditions ?? []).some(
    ({ type, status: is }: { type: string; status: string }) =>
      ['Complete', 'Failed'].includes(type) && is === 'True',
  );
