/** The job for Kubeflow Trainer: a TrainingRuntime and a TrainJob for the trainers of each round, Jobs between them. */
import { containerOf, QUEUE_LABEL } from '../k8s/manifests/stages.js';
import { joinedArguments } from '../pipeline/commands/stage-commands.js';
import { clientsVariable, openingJob, roundJob } from './round-jobs.js';
import type { JobRound, WorkflowJob } from './workflow-job.js';

const API_VERSION = 'trainer.kubeflow.org/v1alpha1';

/** The name of a round's runtime: what its trainers mount differs from round to round. */
const runtimeOf = ({ name }: JobRound): string => `fedbatch-${name}`;

/** Kubeflow Trainer looks for the trainer's container under this name, in a job of this name. */
const NODE = 'node';

/** The objects in the order in which they are applied, each once the one before it is done. */
export function kubeflowObjects(job: WorkflowJob): readonly object[] {
  return [
    openingJob(job, 'split'),
    openingJob(job, 'init'),
    ...job.rounds.flatMap((round) => [
      trainingRuntime(job, round),
      trainJob(job, round),
      roundJob(job, 'aggregate', round),
      roundJob(job, 'evaluate', round),
    ]),
  ];
}

/** How the trainers of a round run: the template's Job, but for what the TrainJob tells. */
function trainingRuntime(job: WorkflowJob, round: JobRound): object {
  const made = roundJob(job, 'train', round);
  const { completions, parallelism: _parallelism, ttlSecondsAfterFinished, ...spec } = made.spec ?? {};
  const container = containerOf(made);
  container.name = NODE;
  container.env = (container.env ?? []).filter(({ name }) => name !== clientsVariable([]).name);
  return {
    apiVersion: API_VERSION,
    kind: 'TrainingRuntime',
    metadata: {
      name: runtimeOf(round),
      ...inNamespace(job),
      labels: { 'app.kubernetes.io/name': 'fedbatch', 'trainer.kubeflow.org/framework': 'fedbatch' },
    },
    spec: {
      mlPolicy: { numNodes: completions },
      template: {
        spec: {
          ttlSecondsAfterFinished,
          network: { enableDNSHostnames: false },
          replicatedJobs: [
            {
              name: NODE,
              template: {
                metadata: {
                  labels: {
                    ...made.metadata?.labels,
                    'trainer.kubeflow.org/trainjob-ancestor-step': 'trainer',
                  },
                },
                spec,
              },
            },
          ],
        },
      },
    },
  };
}

/** The trainers of a round. */
function trainJob(job: WorkflowJob, round: JobRound): object {
  const { clients, name, commands } = round;
  return {
    apiVersion: API_VERSION,
    kind: 'TrainJob',
    metadata: {
      name: `fedbatch-train-${name}`,
      ...inNamespace(job),
      labels: {
        'app.kubernetes.io/name': 'fedbatch',
        ...(job.queue === undefined ? {} : { [QUEUE_LABEL]: job.queue }),
      },
    },
    spec: {
      runtimeRef: { apiGroup: 'trainer.kubeflow.org', kind: 'TrainingRuntime', name: runtimeOf(round) },
      trainer: {
        numNodes: clients.length,
        args: joinedArguments(commands.train.arguments),
        env: [clientsVariable(clients)],
      },
    },
  };
}

const inNamespace = ({ namespace }: WorkflowJob) => (namespace === undefined ? {} : { namespace });
