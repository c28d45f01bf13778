/** Watches a Job that runs: tells what its pods do and what they wait for, and says when it has waited long enough. */
import type { V1Job, V1Pod } from '@kubernetes/client-node';
import type { JobContext } from './ensure-job.js';
import { containersOf, nameOf } from './job-status.js';
import { type PodPhase, podEnding, podPhase, podTrouble } from './pod-status.js';
import { isWaiting, missingPods, noticeAfter, type Waiting, whyWaiting } from './why-waiting.js';

/** Between two lines about the phases of pods. */
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
  readonly clientOf: (pod: V1Pod) => number | undefined;
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
  const { api, reporter, scheduleTimeoutMs, title, clientOf } = options;
  const noticeMs = noticeAfter(scheduleTimeoutMs);
  const lookMs = Math.max(SHORTEST_LOOK_MS, Math.min(LOOK_MS, noticeMs));
  const told = new Set<string>();
  // Times count from the beginning of the wait.
  const clock = { ms: 0, lookedAt: Date.now() };
  /** When each pod was first seen to wait; under '' since when there are fewer pods than the Job may have. */
  const waitingSince = new Map<string, number>();
  const line = { text: '', at: Number.NEGATIVE_INFINITY };
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
    const waits = whyWaiting({ job, pods }, isTold ? [] : await api.listEvents({}));
    for (const wait of waits) tellWaiting(wait, now);
    if (!isLate || waits.length === 0) return undefined;
    if (!waits.some(({ trouble }) => trouble.isProgress)) return waits;
    lastProgressAt = now;
    return undefined;
  };
  return { look, lookMs };

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
    if (told.has(message) || Math.max(...sinces) < noticeMs) return;
    told.add(message);
    const seconds = Math.round(Math.max(...sinces) / 1000);
    reporter.warn(`${namesOf(pods)}: not started after ${seconds} s: ${message} (${reason}).`);
  }
  /** The Job's own controller tries again, as often as it may. */
  function tellFailure(pod: V1Pod): void {
    if (podPhase(pod) !== 'failed' || told.has(nameOf(pod))) return;
    told.add(nameOf(pod));
    reporter.warn(`${namesOf([pod])}: ${podEnding(pod).reason}.`);
  }
  function namesOf(pods: readonly V1Pod[]): string {
    const clients = pods.map(clientOf).filter((client) => client !== undefined);
    if (clients.length === 0) return title;
    const named = clients.slice(0, NAMED).join(', ');
    const rest = clients.length > NAMED ? ` and ${clients.length - NAMED} more` : '';
    return `train client${clients.length === 1 ? '' : 's'} ${named}${rest}`;
  }
  function tellPhases(phases: readonly PodPhase[], now: number): void {
    const open = phases.filter((phase) => phase === 'waiting for a node' || phase === 'starting');
    const text = open.length === 0 ? '' : describePhases(phases);
    if (text === line.text || text === '' || now - line.at < TELL_MS || now < TELL_MS) return;
    Object.assign(line, { text, at: now });
    reporter.info(`${title.padEnd(16)}  ${text}`);
  }
}

/** `2 running, 1 waiting for a node`. */
function describePhases(phases: readonly PodPhase[]): string {
  const counts = new Map<PodPhase, number>();
  for (const phase of phases) counts.set(phase, (counts.get(phase) ?? 0) + 1);
  return [...counts].map(([phase, number]) => `${number} ${phase}`).join(', ');
}
