/** The job for Kubeflow Trainer: a TrainingRuntime, a TrainJob for the trainers of each round, Jobs between them. */
import { containerOf, QUEUE_LABEL } from '../k8s/manifests/stages.js';
import { joinedArguments } from '../pipeline/commands/stage-commands.js';
import { clientsVariable, openingJob, roundJob } from './round-jobs.js';
import type { JobRound, WorkflowJob } from './workflow-job.js';

const API_VERSION = 'trainer.kubeflow.org/v1alpha1';

/** The name of the runtime. */
const RUNTIME = 'fedbatch';

/** Kubeflow Trainer looks for the trainer's container under this name, in a job of this name. */
const NODE = 'node';

/** The objects in the order in which they are applied, each once the one before it is done. */
export function kubeflowObjects(job: WorkflowJob): readonly object[] {
  return [
    trainingRuntime(job),
    openingJob(job, 'split'),
    openingJob(job, 'init'),
    ...job.rounds.flatMap((round) => [
      trainJob(job, round),
      roundJob(job, 'aggregate', round),
      roundJob(job, 'evaluate', round),
    ]),
  ];
}

/** How trainers run, whatever the round: the template's Job, but for what each TrainJob tells. */
function trainingRuntime(job: WorkflowJob): object {
  const [first] = job.rounds;
  if (first === undefined) throw new Error('a job has at least one round');
  const made = roundJob(job, 'train', first);
  const { completions, parallelism: _parallelism, ttlSecondsAfterFinished, ...spec } = made.spec ?? {};
  const container = containerOf(made);
  container.name = NODE;
  container.env = (container.env ?? []).filter(({ name }) => name !== clientsVariable([]).name);
  return {
    apiVersion: API_VERSION,
    kind: 'TrainingRuntime',
    metadata: {
      name: RUNTIME,
      ...inNamespace(job),
      labels: { 'app.kubernetes.io/name': 'fedbatch', 'trainer.kubeflow.org/framework': 'fedbatch' },
    },
    spec: {
      mlPolicy: { numNodes: completions },
      template: {
        spec: {
          ttlSecondsAfterFinished,
          failurePolicy: { maxRestarts: 0 },
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
      runtimeRef: { apiGroup: 'trainer.kubeflow.org', kind: 'TrainingRuntime', name: RUNTIME },
      trainer: {
        numNodes: clients.length,
        args: joinedArguments(commands.train.arguments),
        env: [clientsVariable(clients)],
      },
    },
  };
}

const inNamespace = ({ namespace }: WorkflowJob) => (namespace === undefined ? {} : { namespace });
