/** `fedbatch k8s delete`: removes a run's objects from the cluster; its files stay on the volume. */
import type { ClusterApi } from './cluster-api.js';
import { type JobContext, removeJob } from './ensure-job.js';
import { runSelector, STAGE_LABEL } from './names.js';

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
