/** `fedbatch k8s status`: where the runs of a namespace stand, Job by Job. */
import type { CoreV1Event, V1Job } from '@kubernetes/client-node';
import type { JobRow } from '../../lib/formats/run-results.js';
import { formatTable } from '../../lib/observability/format.js';
import type { ClusterApi } from './cluster-api.js';
import { jobSeconds, jobState, nameOf } from './job-status.js';
import { NOT_STARTED_ANNOTATION, ROUND_LABEL, RUN_LABEL, runSelector, STAGE_LABEL } from './names.js';
import { parseObject, podEnding, podPhase } from './pod-status.js';
import { whyWaiting } from './why-waiting.js';

/** The Jobs of a run, or of all runs, in the order in which they were made. */
export async function jobsOfRuns(api: ClusterApi, run: string | undefined): Promise<readonly JobRow[]> {
  const labels = runSelector(run);
  const [{ items: jobs }, { items: pods }] = await Promise.all([
    api.listJobs({ labels }),
    api.listPods({ labels }),
  ]);
  if (jobs.length === 0) await api.requireNamespace();
  const created = ({ metadata }: V1Job) => new Date(metadata?.creationTimestamp ?? 0).getTime();
  const sorted = [...jobs].sort((a, b) => created(a) - created(b) || (nameOf(a) < nameOf(b) ? -1 : 1));
  // Who may not read events still sees what stands in the pods' own status.
  const isOpen = jobs.some((job) => jobState(job).kind === 'running');
  const events: readonly CoreV1Event[] = isOpen ? await api.listEvents({}).catch(() => []) : [];
  return sorted.map((job) => {
    const own = pods.filter(({ metadata }) =>
      metadata?.ownerReferences?.some(({ uid }) => uid === job.metadata?.uid),
    );
    const state = jobState(job);
    const [waiting] = whyWaiting({ job, pods: own }, events);
    const failed = own.filter((pod) => podPhase(pod) === 'failed').at(-1);
    const why =
      state.kind === 'failed'
        ? failed
          ? podEnding(failed).reason
          : (notStarted(job) ?? state.reason)
        : (waiting?.trouble.message ?? '');
    const { labels: marks = {} } = job.metadata ?? {};
    return {
      run: marks[RUN_LABEL] ?? '',
      job: nameOf(job),
      stage: marks[STAGE_LABEL] ?? '',
      round: marks[ROUND_LABEL] === undefined ? null : Number(marks[ROUND_LABEL]),
      state: state.kind,
      pods: {
        wanted: job.spec?.completions ?? 1,
        active: job.status?.active ?? 0,
        done: job.status?.succeeded ?? 0,
        failed: job.status?.failed ?? 0,
      },
      seconds: jobSeconds(job),
      note: state.kind === 'complete' ? '' : why,
    };
  });
}

/** Why clients were given up that had not started. */
function notStarted({ metadata }: V1Job): string | undefined {
  const reasons = parseObject(metadata?.annotations?.[NOT_STARTED_ANNOTATION] ?? '') ?? {};
  const texts = [...new Set(Object.values(reasons).map(String))];
  return texts.length === 0 ? undefined : texts.join('; ');
}

/** The Jobs as a table, run by run. */
export function describeJobs(rows: readonly JobRow[]): string {
  const runs = [...new Set(rows.map(({ run }) => run))];
  return runs
    .map((run) => {
      const own = rows.filter((row) => row.run === run);
      const table = formatTable(
        ['stage', 'round', 'state', 'active', 'done', 'of', 'failed', 'seconds'],
        own.map(({ stage, round, state, pods, seconds }) => [
          stage,
          round === null ? '' : `${round}`,
          state,
          ...[pods.active, pods.done, pods.wanted, pods.failed].map(String),
          state === 'running' ? '' : seconds.toFixed(0),
        ]),
      );
      const notes = own.filter(({ note }) => note !== '').map(({ job, note }) => `${job}: ${note}`);
      return [run, '', table, ...(notes.length > 0 ? ['', ...notes] : [])].join('\n');
    })
    .join('\n\n');
}
