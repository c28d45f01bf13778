/** Why a Job does not go on, in the cluster's own words: the status of its pods, else their events, else its own. */
import type { CoreV1Event, V1Job, V1Pod } from '@kubernetes/client-node';
import { QUEUE_LABEL } from '../manifests/stages.js';
import { indexesIn, nameOf } from './job-status.js';
import {
  eventsOf,
  kubectlFor,
  NO_ROOM,
  type PodTrouble,
  podPhase,
  podTrouble,
  UNSCHEDULABLE,
} from './pod-status.js';

/** After so long of waiting for anything the user is told what for. */
export const NOTICE_MS = 15_000;

/** After how long whoever gives up after `timeoutMs` tells what is waited for. */
export const noticeAfter = (timeoutMs: number): number => Math.min(NOTICE_MS, timeoutMs / 2);

/** One reason to wait, and who waits for it. */
export interface Waiting {
  readonly trouble: PodTrouble;
  /** None where the Job itself waits, because it has fewer pods than it wants. */
  readonly pods: readonly V1Pod[];
}

/** Longest text of an event that is passed on. */
const MAX_TEXT = 300;

/** Whether a pod is there and does not work. */
export function isWaiting(pod: V1Pod): boolean {
  return ['waiting for a node', 'starting', 'stopping'].includes(podPhase(pod));
}

/** How many pods a Job may have now and has not. */
export function missingPods({ spec, status }: V1Job, pods: readonly V1Pod[]): number {
  const { completions = 1, parallelism = 1 } = spec ?? {};
  const over = (status?.succeeded ?? 0) + indexesIn(status?.failedIndexes).size;
  const active = pods.filter(({ status: is }) => !['Succeeded', 'Failed'].includes(is?.phase ?? '')).length;
  return Math.max(0, Math.min(parallelism, completions - over) - active);
}

/**
 * The reasons for which a Job and its pods wait; pods with the same reason are together. First those that hardly pass,
 * last those of pods without a node, which often wait for a place that the others hold; else those of many pods.
 */
export function whyWaiting(
  { job, pods }: { readonly job: V1Job; readonly pods: readonly V1Pod[] },
  events: readonly CoreV1Event[],
): readonly Waiting[] {
  const groups = new Map<string, { trouble: PodTrouble; pods: V1Pod[] }>();
  for (const pod of pods.filter(isWaiting)) {
    const known = podTrouble(pod);
    const trouble =
      known === undefined
        ? troubleOfEvents(pod, events)
        : { ...known, message: plainText(known.message, pod) };
    const group = groups.get(kindOfTrouble(trouble)) ?? { trouble, pods: [] };
    group.pods.push(pod);
    groups.set(kindOfTrouble(trouble), group);
  }
  const rank = ({ isFinal, reason }: PodTrouble) => (isFinal ? 0 : reason === UNSCHEDULABLE ? 2 : 1);
  const sorted = [...groups.values()].sort(
    (a, b) => rank(a.trouble) - rank(b.trouble) || b.pods.length - a.pods.length,
  );
  const own = missingPods(job, pods) > 0 ? troubleOfJob(job, { pods, events }) : undefined;
  return [...sorted, ...(own === undefined ? [] : [{ trouble: own, pods: [] }])];
}

/** The same for troubles that differ in numbers alone, such as how many nodes have no room. */
export const kindOfTrouble = ({ reason, message }: Pick<PodTrouble, 'reason' | 'message'>): string =>
  `${reason} ${message.replaceAll(/\d+/g, '#')}`;

function troubleOfEvents(pod: V1Pod, events: readonly CoreV1Event[]): PodTrouble {
  if (podPhase(pod) === 'stopping') {
    return {
      reason: 'Terminating',
      message: 'its pod was deleted and does not end',
      isFinal: false,
      advice: 'kubectl get nodes shows whether its node is lost',
    };
  }
  const describe = eventsOf(pod);
  // What is normal tells of trouble only that it is over.
  const own = newest(events, pod.metadata?.uid, ({ type, reason = '' }) =>
    type === 'Warning' ? true : ['Pulling', 'Pulled'].includes(reason),
  );
  if (own?.reason === 'Pulling') {
    const message = textOf(own, pod);
    return { reason: 'Pulling', message, isFinal: false, isProgress: true, advice: describe };
  }
  if (own === undefined || own.type !== 'Warning') {
    const isPlaced = podPhase(pod) === 'starting';
    const message = isPlaced
      ? `its node ${pod.spec?.nodeName ?? ''} does not start it, and tells no reason`
      : 'no scheduler has looked at it';
    return {
      reason: 'NoEvent',
      message,
      isFinal: false,
      advice: `${describe} shows what became of it, kubectl get nodes whether its node is well`,
    };
  }
  const { reason = '' } = own;
  const message = textOf(own, pod);
  return {
    reason,
    message,
    isFinal: false,
    lacksRoom: NO_ROOM.test(message),
    advice: adviceFor(reason, pod),
  };
}

function adviceFor(reason: string, pod: V1Pod): string {
  const describe = eventsOf(pod);
  const node = pod.spec?.nodeName ?? '';
  if (/mount|attach|volume/i.test(reason))
    return `see to the volume (NFS needs nfs-common on the node, and a server that answers there); ${describe} shows more`;
  if (/sandbox|network/i.test(reason))
    return `see to the network plugin and the container runtime of the node ${node}; ${describe} shows more`;
  return `${describe} shows more`;
}

function troubleOfJob(
  job: V1Job,
  { pods, events }: { readonly pods: readonly V1Pod[]; readonly events: readonly CoreV1Event[] },
): PodTrouble | undefined {
  const describe = eventsOf(job);
  if (job.spec?.suspend === true) return troubleOfSuspended(job, events);
  const refused = newest(events, job.metadata?.uid, ({ type }) => type === 'Warning');
  if (refused?.reason === 'FailedCreate') {
    const message = textOf(refused, job);
    const lacksRoom = /exceeded quota/.test(message);
    const advice = 'ask for less, or have the quota or the admission rule changed';
    return { reason: 'FailedCreate', message, isFinal: false, lacksRoom, advice };
  }
  // The Job controller waits longer and longer between the attempts; how often it tries is the Job's own limit.
  if (pods.some(({ status }) => status?.phase === 'Failed')) {
    const message = 'what failed is retried after a while';
    return { reason: 'BackOff', message, isFinal: false, isProgress: true, advice: describe };
  }
  const message = 'the cluster has made no pods for it, and tells no reason';
  return { reason: 'NoPods', message, isFinal: false, advice: `${describe} shows more` };
}

function troubleOfSuspended(job: V1Job, events: readonly CoreV1Event[]): PodTrouble {
  const queue = job.metadata?.labels?.[QUEUE_LABEL];
  if (queue === undefined) {
    const message = 'the Job is suspended';
    const advice = `whoever suspended the Job has to resume it (${eventsOf(job)} shows more); --schedule-timeout gives it longer`;
    return { reason: 'Suspended', message, isFinal: false, advice };
  }
  const workloads = events.filter(
    ({ involvedObject: { kind, name } }) =>
      kind === 'Workload' && name?.startsWith(`job-${nameOf(job)}-`) === true,
  );
  const why = workloads.sort((a, b) => timeOf(a) - timeOf(b)).at(-1);
  return {
    reason: 'Suspended',
    message: `Kueue holds it back in the queue ${queue}${why === undefined ? '' : `: ${textOf(why, job)}`}`,
    isFinal: false,
    lacksRoom: true,
    advice: `${kubectlFor(job, 'get workloads')} shows the queue; --schedule-timeout gives it longer`,
  };
}

/** The newest of an object's events that are wanted. */
function newest(
  events: readonly CoreV1Event[],
  uid: string | undefined,
  isWanted: (event: CoreV1Event) => boolean,
): CoreV1Event | undefined {
  return events
    .filter((event) => event.involvedObject.uid === uid && isWanted(event))
    .sort((a, b) => timeOf(a) - timeOf(b))
    .at(-1);
}

function timeOf({ lastTimestamp, eventTime, series, metadata }: CoreV1Event): number {
  const last = series?.lastObservedTime ?? lastTimestamp ?? eventTime ?? metadata.creationTimestamp ?? 0;
  return new Date(last as Date | string).getTime();
}

const textOf = ({ message = '' }: CoreV1Event, about: V1Pod | V1Job): string => plainText(message, about);

/** What was told of a pod or Job without what differs from pod to pod, on one line. */
function plainText(message: string, about: V1Pod | V1Job): string {
  const text = message
    // A pod that was refused had a name with another ending each time.
    .replaceAll(new RegExp(`${nameOf(about)}(-[a-z0-9]+)*`, 'g'), '…')
    // As runtimes write it into the names of their groups, too.
    .replaceAll(/(?<![0-9a-f])[0-9a-f]{8}([-_][0-9a-f]{4}){3}[-_][0-9a-f]{12}(?![0-9a-f])/g, '…')
    .replaceAll(/\b[0-9a-f]{12,}\b/g, '…')
    .replaceAll(/\s+/g, ' ')
    .trim()
    .replace(/\.$/, '');
  return text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT)}…` : text;
}
