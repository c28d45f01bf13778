/** The Jobs of a job's rounds: the templates' own, with a round's arguments, clients and name. */
import type { V1Job } from '@kubernetes/client-node';
import { containerOf, QUEUE_LABEL } from '../k8s/manifests/stages.js';
import { joinedArguments } from '../pipeline/commands/stage-commands.js';
import type { JobRound, RoundStage, WorkflowJob } from './workflow-job.js';

/** The Job of a stage before the rounds. */
export function openingJob({ stages, namespace, queue }: WorkflowJob, name: 'split' | 'init'): V1Job {
  const { job } = stages[name];
  return named(structuredClone(job), { name: `fedbatch-${name}`, namespace, queue });
}

/** The Job of a stage of a round. */
export function roundJob(job: WorkflowJob, stage: RoundStage, round: JobRound): V1Job {
  const made = structuredClone(job.stages[stage].job);
  containerOf(made).args = [...joinedArguments(round.commands[stage].arguments)];
  if (stage === 'train') selectClientsOf(made, round);
  const { namespace, queue } = job;
  return named(made, { name: `fedbatch-${stage}-${round.name}`, namespace, queue });
}

/** Index i trains the i-th of the round's clients. */
function selectClientsOf({ spec, metadata }: V1Job, { clients, minUpdates }: JobRound): void {
  if (spec === undefined) throw new Error(`the Job ${metadata?.name} has no spec`);
  spec.completions = clients.length;
  spec.parallelism = clients.length;
  spec.maxFailedIndexes = clients.length - minUpdates;
  const container = containerOf({ spec });
  const others = (container.env ?? []).filter(({ name }) => name !== CLIENTS);
  container.env = [...others, clientsVariable(clients)];
}

const CLIENTS = 'FEDBATCH_CLIENTS';

/** How a trainer is told the clients of its round. */
export const clientsVariable = (clients: readonly number[]) => ({ name: CLIENTS, value: clients.join(',') });

function named(
  job: V1Job,
  { name, namespace, queue }: { readonly name: string } & Pick<WorkflowJob, 'namespace' | 'queue'>,
): V1Job {
  job.metadata = {
    ...job.metadata,
    name,
    ...(namespace === undefined ? {} : { namespace }),
    labels: { ...job.metadata?.labels, ...(queue === undefined ? {} : { [QUEUE_LABEL]: queue }) },
  };
  return job;
}
