/** `fedbatch k8s logs`: what the programs of a run's pods have written. */
import type { V1Pod } from '@kubernetes/client-node';
import { UsageError } from '../../lib/core/errors.js';
import { explainFailure } from '../connection/api-errors.js';
import type { ClusterApi } from './cluster-api.js';
import { followLog } from './follow-log.js';
import { containersOf, indexOf, nameOf } from './job-status.js';
import { ROUND_LABEL, runSelector, STAGE_LABEL } from './names.js';

/** Whose logs. */
interface LogsQuery {
  readonly run: string;
  readonly stage?: string | undefined;
  readonly round?: number | undefined;
  /** Completion index of a trainer. */
  readonly index?: number | undefined;
  readonly lines: number;
  readonly follows: boolean;
}

/** Prints the logs, each line behind the name of its pod and container. @throws {UsageError} when there are none */
export async function printLogs(
  api: ClusterApi,
  query: LogsQuery,
  { print, signal }: { readonly print: (line: string) => void; readonly signal: AbortSignal },
): Promise<void> {
  const labels = [
    runSelector(query.run),
    ...(query.stage === undefined ? [] : [`${STAGE_LABEL}=${query.stage}`]),
    ...(query.round === undefined ? [] : [`${ROUND_LABEL}=${query.round}`]),
  ].join();
  const { items } = await api.listPods({ labels });
  const pods = items.filter((pod) => query.index === undefined || indexOf(pod) === query.index);
  if (pods.length === 0) {
    await api.requireNamespace();
    throw new UsageError(
      `There are no pods of the run ${query.run} in the namespace ${api.namespace} that fit: npx fedbatch k8s status lists its Jobs.`,
    );
  }
  const started = pods.flatMap((pod) =>
    namesOfStarted(pod).map((container) => ({ pod: nameOf(pod), container })),
  );
  if (!query.follows) {
    for (const { pod, container } of started) {
      const log = await api.readLog(pod, container, query.lines);
      for (const line of log.split('\n').filter((each) => each !== '')) print(`${pod} ${container}: ${line}`);
    }
    return;
  }
  await Promise.all(
    started.map(({ pod, container }) =>
      followLog(api, { pod, container, onLine: (line) => print(`${pod} ${container}: ${line}`), signal }),
    ),
  ).catch((error: unknown) => {
    throw explainFailure(error, api.server) ?? error;
  });
}

function namesOfStarted(pod: V1Pod): readonly string[] {
  return containersOf(pod)
    .filter(({ state }) => state?.waiting === undefined)
    .map(({ name }) => name);
}
