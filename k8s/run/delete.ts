/** `fedbatch k8s delete`: removes a run's objects from the cluster; its files stay on the volume. */
import type { ClusterApi } from './cluster-api.js';
import { type JobContext, removeJob } from './ensure-job.js';
import { runSelector } from './names.js';

/** Deletes the Jobs of a run with their pods, and waits until they are gone. Returns how many there were. */
export async function deleteRun(run: string, context: JobContext): Promise<number> {
  const { api } = context;
  const { items: jobs } = await api.listJobs({ labels: runSelector(run) });
  await Promise.all(jobs.map((job) => removeJob(job, context)));
  await deleteFacts(api, run);
  return jobs.length;
}

async function deleteFacts(api: ClusterApi, run: string): Promise<void> {
  for (const { metadata } of await api.listConfigMaps({ labels: runSelector(run) })) {
    await api.deleteConfigMap(metadata?.name ?? '');
  }
}
