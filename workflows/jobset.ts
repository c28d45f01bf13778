/** The job as a JobSet: one object, in which each stage waits for the one before it. */
import type { V1Job } from '@kubernetes/client-node';
import { QUEUE_LABEL } from '../k8s/manifests/stages.js';
import { openingJob, roundJob } from './round-jobs.js';
import type { WorkflowJob } from './workflow-job.js';

/** The JobSet, of all rounds. */
export function jobSet(job: WorkflowJob): object {
  const { namespace, queue, rounds, stages } = job;
  const chain = [
    { name: 'split', job: openingJob(job, 'split') },
    { name: 'init', job: openingJob(job, 'init') },
    ...rounds.flatMap((round) =>
      (['train', 'aggregate', 'evaluate'] as const).map((stage) => ({
        name: `${stage}-${round.name}`,
        job: roundJob(job, stage, round),
      })),
    ),
  ];
  return {
    apiVersion: 'jobset.x-k8s.io/v1alpha2',
    kind: 'JobSet',
    metadata: {
      name: 'fedbatch',
      ...(namespace === undefined ? {} : { namespace }),
      labels: {
        'app.kubernetes.io/name': 'fedbatch',
        ...(queue === undefined ? {} : { [QUEUE_LABEL]: queue }),
      },
    },
    spec: {
      ttlSecondsAfterFinished: stages.train.job.spec?.ttlSecondsAfterFinished,
      // Each Job tries again what is worth it: what a Job gives up on is for a person to look at.
      failurePolicy: { maxRestarts: 0 },
      // The pods meet on the volume, not by name.
      network: { enableDNSHostnames: false },
      replicatedJobs: chain.map((link, index) => ({
        name: link.name,
        replicas: 1,
        ...dependsOn(chain[index - 1]?.name),
        template: { metadata: { labels: link.job.metadata?.labels }, spec: jobSpec(link.job) },
      })),
    },
  };
}

const dependsOn = (name: string | undefined) =>
  name === undefined ? {} : { dependsOn: [{ name, status: 'Complete' }] };

/** The JobSet is kept as a whole. */
function jobSpec({ spec }: V1Job): object {
  const { ttlSecondsAfterFinished: _ttl, ...rest } = spec ?? {};
  return rest;
}
