/** Watches a Job that runs: tells what its pods do and what they wait for, and says when it has waited long enough. */
import type { V1Job, V1Pod } from '@kubernetes/client-node';
import type { JobContext } from './ensure-job.js';
import { containersOf, nameOf } from './job-status.js';
import { RUN_LABEL } from './names.js';
import { type PodPhase, podEnding, podPhase, podTrouble } from './pod-status.js';
import {
  isWaiting,
  kindOfTrouble,
  missingPods,
  noticeAfter,
  type Waiting,
  whyWaiting,
} from './why-waiting.js';

/** Before that pods need no line for what they are about. */
const TELL_MS = 5_000;
/** Between two looks where nothing was heard. */
const LOOK_MS = 5_000;
const SHORTEST_LOOK_MS = 50;
/** Of the time between two looks so much counts, in looks: while this computer sleeps, nobody sees the cluster work. */
const COUNTED_LOOKS = 1.2;
/** Clients that a line names. */
const NAMED = 5;

/** Whom a watchman tells of what. */
interface WatchmanOptions extends JobContext {
  /** `train round 2`: in front of what is said of the Job. */
  readonly title: string;
  /** The client of a pod, where pods have one. */
  readonly clientsOf: (pod: V1Pod) => readonly number[];
}

/** Watches one Job. */
interface Watchman {
  /** Until the next look at the latest. */
  readonly lookMs: number;
  /** Returns what the Job waits for in vain, once waiting will hardly help. */
  look(job: V1Job, pods: readonly V1Pod[]): Promise<readonly Waiting[] | undefined>;
}

/** A watchman for a Job that begins to be waited for now. */
export function createWatchman(options: WatchmanOptions): Watchman {
  const { api, reporter, scheduleTimeoutMs, title, clientsOf, siblings } = options;
  const noticeMs = noticeAfter(scheduleTimeoutMs);
  const lookMs = Math.max(SHORTEST_LOOK_MS, Math.min(LOOK_MS, noticeMs));
  const told = new Set<string>();
  // Times count from the beginning of the wait.
  const clock = { ms: 0, lookedAt: Date.now() };
  /** When each pod was first seen to wait; under '' since when there are fewer pods than the Job may have. */
  const waitingSince = new Map<string, number>();
  /** How many pods have failed by what. */
  const failures = new Map<string, number>();
  const toldPhases = new Set<PodPhase>();
  /** Pods of other Jobs that held places at the last look, and when that was. */
  let held = { pods: '', at: 0 };
  const ask = { at: 0, everyMs: noticeMs };
  let lastProgressAt = 0;
  let started = 0;

  const look: Watchman['look'] = async (job, pods) => {
    const now = tick();
    for (const pod of pods) tellFailure(pod);
    tellPhases(pods.map(podPhase), now);
    const containers = pods.flatMap(containersOf);
    const begun = containers.filter(({ state }) => state?.running ?? state?.terminated).length;
    if (begun !== started || containers.some(({ state }) => state?.running)) lastProgressAt = now;
    started = begun;
    // A pod that works may do so for days; what others wait for meanwhile is told, and may come right.
    if (started === 0) {
      const placed = pods.filter((pod) => podPhase(pod) === 'starting');
      if (placed.length > 0 && placed.every((pod) => podTrouble(pod)?.isFinal)) {
        return whyWaiting({ job, pods: placed }, []);
      }
    }
    note(job, pods, now);
    const isLate = now - lastProgressAt > scheduleTimeoutMs;
    const longest = now - Math.min(...waitingSince.values(), now);
    if (longest < noticeMs || (now < ask.at && !isLate)) return undefined;
    ask.at = now + ask.everyMs;
    ask.everyMs *= 2;
    const isTold = pods.filter(isWaiting).every(podTrouble) && missingPods(job, pods) === 0;
    const waits = await withHolders(
      whyWaiting({ job, pods }, isTold ? [] : await api.listEvents({})),
      job,
      now,
    );
    for (const wait of waits) tellWaiting(wait, now);
    if (waits.some(({ trouble }) => trouble.isProgress)) {
      lastProgressAt = now;
      return undefined;
    }
    return isLate && waits.length > 0 ? waits : undefined;
  };
  return { look, lookMs };

  /**
   * Who waits for room that the run's other Jobs hold, or those of the same sweep, waits for these to end: pods of theirs
   * work, or have changed places since the last look. Such a wait does not count against the deadline of a Job.
   */
  async function withHolders(
    waits: readonly Waiting[],
    job: V1Job,
    now: number,
  ): Promise<readonly Waiting[]> {
    if (!waits.some(({ trouble }) => trouble.lacksRoom)) return waits;
    const isOwn = (pod: V1Pod) => runOf(pod) === runOf(job);
    const { items } = await api.listPods({ labels: RUN_LABEL });
    const others = items.filter(
      (pod) => hasPlace(pod) && !isOfJob(pod, job) && (isOwn(pod) || siblings?.has(runOf(pod))),
    );
    const places = others
      .map((pod) => `${nameOf(pod)} ${podPhase(pod)}`)
      .sort()
      .join();
    const isAtWork = others.some((pod) => podPhase(pod) === 'running') || places !== held.pods;
    const sinceMs = now - held.at;
    held = { pods: places, at: now };
    // Room that was made a moment ago is not taken yet.
    if (!isAtWork) return waits;
    const { activeDeadlineSeconds: deadline } = job.spec ?? {};
    // That of clients is the user's own.
    if (deadline !== undefined && job.spec?.completionMode !== 'Indexed')
      await api.setDeadline(nameOf(job), deadline + Math.ceil(sinceMs / 1000));
    const holders = `other pods of this ${others.every(isOwn) ? 'run' : 'sweep'}`;
    return waits.map(({ trouble, ...wait }) => {
      const message = `${trouble.message}; waiting until ${holders} make room`;
      return { ...wait, trouble: trouble.lacksRoom ? { ...trouble, message, isProgress: true } : trouble };
    });
  }

  function tick(): number {
    const now = Date.now();
    clock.ms += Math.min(now - clock.lookedAt, COUNTED_LOOKS * lookMs);
    clock.lookedAt = now;
    return clock.ms;
  }

  function note(job: V1Job, pods: readonly V1Pod[], now: number): void {
    const waiting = pods.filter(isWaiting).map(({ metadata }) => metadata?.uid ?? '');
    if (missingPods(job, pods) > 0) waiting.push('');
    for (const uid of waitingSince.keys()) if (!waiting.includes(uid)) waitingSince.delete(uid);
    for (const uid of waiting) {
      if (waitingSince.has(uid)) continue;
      waitingSince.set(uid, now);
      // Who begins to wait after hours is told of as soon as who waited first.
      Object.assign(ask, { at: Math.min(ask.at, now + noticeMs), everyMs: noticeMs });
    }
  }
  /** One line for all pods that wait for the same, and once. */
  function tellWaiting({ trouble, pods }: Waiting, now: number): void {
    const { reason, message } = trouble;
    const sinces = (pods.length === 0 ? [''] : pods.map(({ metadata }) => metadata?.uid ?? '')).map(
      (uid) => now - (waitingSince.get(uid) ?? now),
    );
    if (told.has(kindOfTrouble(trouble)) || Math.max(...sinces) < noticeMs) return;
    told.add(kindOfTrouble(trouble));
    const seconds = Math.round(Math.max(...sinces) / 1000);
    reporter.warn(`${namesOf(pods)}: not started after ${seconds} s: ${message} (${reason}).`);
  }
  /** The Job's own controller tries again, as often as it may. What many fail by is told of the first ones. */
  function tellFailure(pod: V1Pod): void {
    if (podPhase(pod) !== 'failed' || told.has(nameOf(pod))) return;
    told.add(nameOf(pod));
    const { reason: message } = podEnding(pod);
    const kind = kindOfTrouble({ reason: '', message });
    const times = (failures.get(kind) ?? 0) + 1;
    failures.set(kind, times);
    if (times <= NAMED) reporter.warn(`${namesOf([pod])}: ${message}.`);
    else if (times === NAMED + 1) reporter.warn(`${title}: more pods end like that, and are told no more.`);
  }
  function namesOf(pods: readonly V1Pod[]): string {
    const clients = pods.flatMap(clientsOf);
    if (clients.length === 0) return title;
    const named = clients.slice(0, NAMED).join(', ');
    const rest = clients.length > NAMED ? ` and ${clients.length - NAMED} more` : '';
    return `train client${clients.length === 1 ? '' : 's'} ${named}${rest}`;
  }
  /** A line for each that is new: pods that wait for their turn would give one as each of the others ends. */
  function tellPhases(phases: readonly PodPhase[], now: number): void {
    const isBegun = phases.some((phase) => phase === 'running' || phase === 'done');
    const open = phases.filter(
      (phase) => phase === 'waiting for a node' || (phase === 'starting' && !isBegun),
    );
    if (now < TELL_MS || open.every((phase) => toldPhases.has(phase))) return;
    for (const phase of open) toldPhases.add(phase);
    reporter.info(`${title.padEnd(16)}  ${describePhases(phases)}`);
  }
}

/** Whether a pod holds what others may wait for. */
const hasPlace = (pod: V1Pod): boolean => ['running', 'starting', 'stopping'].includes(podPhase(pod));

const isOfJob = ({ metadata }: V1Pod, job: V1Job): boolean =>
  metadata?.ownerReferences?.some(({ uid }) => uid === job.metadata?.uid) === true;

const runOf = ({ metadata }: V1Pod | V1Job): string => metadata?.labels?.[RUN_LABEL] ?? '';

/** `2 running, 1 waiting for a node`. */
function describePhases(phases: readonly PodPhase[]): string {
  const counts = new Map<PodPhase, number>();
  for (const phase of phases) counts.set(phase, (counts.get(phase) ?? 0) + 1);
  return [...counts].map(([phase, number]) => `${number} ${phase}`).join(', ');
}
