/** Follows the logs of a Job's pods: progress goes to the display, warnings and last words to whoever asks. */
import type { V1Pod } from '@kubernetes/client-node';
import type { ProgressEvent, Reporter } from '../../lib/observability/events.js';
import { isPassing } from '../connection/api-errors.js';
import { createBackoff } from '../connection/retry.js';
import type { ClusterApi } from './cluster-api.js';
import { followLog } from './follow-log.js';
import { containersOf, nameOf } from './job-status.js';
import { parseObject } from './pod-status.js';

/** What is told of a Job's logs. */
interface LogOptions {
  readonly api: ClusterApi;
  readonly reporter: Reporter;
  readonly signal: AbortSignal;
  /** `train client 3`: how the pod's messages begin. */
  readonly nameOfPod: (pod: V1Pod) => string;
  readonly clientsOf: (pod: V1Pod) => readonly number[];
  /** The round that the Job works for. */
  readonly part?: Pick<ProgressEvent, 'round' | 'rounds'> | undefined;
  /** Show every line, as `--logs` asks. */
  readonly isVerbose: boolean;
}

/** Follows containers as they start. */
interface PodLogs {
  /** Looks at the pods again: new containers are followed. */
  update(pods: readonly V1Pod[]): void;
}

/** So many logs are followed side by side: the API server holds a connection for each. */
export const MAX_FOLLOWED = 50;
/** After a log was cut off, and at the longest. */
const AGAIN = { firstMs: 1_000, longestMs: 60_000 };

/** A follower of logs, until `signal`. */
export function followPods(options: LogOptions): PodLogs {
  const { api, signal } = options;
  const seen = new Set<string>();
  /** A node that cannot be asked answers 500 for each of its pods: each of them makes the others wait longer. */
  const nodes = new Map<string, ReturnType<typeof createBackoff>>();
  const backoffOf = ({ spec }: V1Pod) => {
    const node = spec?.nodeName ?? '';
    const backoff = nodes.get(node) ?? createBackoff(AGAIN);
    nodes.set(node, backoff);
    return backoff;
  };
  let open = 0;
  const follow = async (pod: V1Pod, container: string) => {
    open++;
    // Its own, too: a log that is lost while the node's other pods have theirs.
    const waits = [createBackoff(AGAIN), backoffOf(pod)];
    const onLine = (line: string) => {
      for (const each of waits) each.reset();
      tellLine(line, { pod, container }, options);
    };
    const waitAfter = (error: unknown) => {
      if (!isPassing(error)) throw error;
      return Math.max(...waits.map((each) => each.after(error)));
    };
    // A log that is refused for good is missed.
    await followLog(api, { pod: nameOf(pod), container, onLine, waitAfter, signal }).catch(() => undefined);
    open--;
  };
  return {
    update(pods) {
      for (const pod of pods) {
        for (const { name, state } of containersOf(pod)) {
          const key = `${pod.metadata?.uid}/${name}`;
          const hasStarted = state?.running !== undefined || state?.terminated !== undefined;
          if (!hasStarted || seen.has(key) || open >= MAX_FOLLOWED) continue;
          seen.add(key);
          void follow(pod, name);
        }
      }
    },
  };
}

function tellLine(
  line: string,
  { pod, container }: { readonly pod: V1Pod; readonly container: string },
  { reporter, nameOfPod, clientsOf, part, isVerbose }: LogOptions,
): void {
  const entry = parseObject(line);
  if (entry?.event === 'progress') {
    const { level, time, event, msg, ...progress } = entry;
    // Of several clients the pod's own programs tell which they mean.
    const [client, ...others] = clientsOf(pod);
    reporter.progress({
      ...(progress as unknown as ProgressEvent),
      ...part,
      ...(client === undefined || others.length > 0 ? {} : { client }),
    });
  } else if (isVerbose) {
    reporter.info(`${nameOf(pod)} ${container}: ${entry?.msg ?? line}`);
  } else if (entry?.level === 'warn') {
    reporter.warn(`${nameOfPod(pod)}: ${entry.msg}`);
  }
}
