/** The Jobs of a job's rounds: the templates' own, with a round's arguments, clients and name. */
import type { V1Job } from '@kubernetes/client-node';
import { containerOf, QUEUE_LABEL } from '../k8s/manifests/stages.js';
import { type EngineJob, type JobRound, roundArguments, roundTexts } from './workflow-job.js';

/** Stages that each round has. */
export type RoundStage = 'train' | 'aggregate' | 'evaluate';

/** The Job of a stage before the rounds. */
export function openingJob({ stages, namespace, queue }: EngineJob, name: 'split' | 'init'): V1Job {
  const { job } = stages[name];
  return named(structuredClone(job), { name: `fedbatch-${name}`, namespace, queue });
}

/** The Job of a stage of a round. */
export function roundJob(job: EngineJob, stage: RoundStage, round: JobRound): V1Job {
  const made = structuredClone(job.stages[stage].job);
  containerOf(made).args = [...roundArguments(job, stage, roundTexts(round))];
  if (stage === 'train') selectClientsOf(made, round);
  const { namespace, queue } = job;
  return named(made, { name: `fedbatch-${stage}-${round.directory}`, namespace, queue });
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
  { name, namespace, queue }: { readonly name: string } & Pick<EngineJob, 'namespace' | 'queue'>,
): V1Job {
  job.metadata = {
    ...job.metadata,
    name,
    ...(namespace === undefined ? {} : { namespace }),
    labels: { ...job.metadata?.labels, ...(queue === undefined ? {} : { [QUEUE_LABEL]: queue }) },
  };
  return job;
}
