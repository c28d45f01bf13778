/** The Jobs of a job's rounds: the templates' own, with a round's arguments, clients and name. */
import type { V1Container, V1Job } from '@kubernetes/client-node';
import { recorderContainer, seeNoShards, seeOwn } from '../k8s/manifests/sight.js';
import { containerOf, QUEUE_LABEL } from '../k8s/manifests/stages.js';
import { joinedArguments } from '../pipeline/commands/stage-commands.js';
import { type JobRound, PATHS, type RoundStage, type WorkflowJob } from './workflow-job.js';

/** The Job of a stage before the rounds; that of the initial model lays out the places of the first one's clients. */
export function openingJob(job: WorkflowJob, name: 'split' | 'init'): V1Job {
  const made = structuredClone(job.stages[name].job);
  const pod = made.spec?.template.spec;
  if (job.isolates && name === 'init' && pod) {
    pod.initContainers = pod.containers;
    pod.containers = [recorder(job, 'placed', job.rounds[0])];
  }
  return named(made, { name: `fedbatch-${name}`, ...job });
}

/** The Job of a stage of a round. */
export function roundJob(job: WorkflowJob, stage: RoundStage, round: JobRound): V1Job {
  const made = structuredClone(job.stages[stage].job);
  containerOf(made).args = [...joinedArguments(round.commands[stage].arguments)];
  if (stage === 'train') selectClientsOf(made, round);
  if (job.isolates) isolate(made, { job, stage, round });
  return named(made, { name: `fedbatch-${stage}-${round.name}`, ...job });
}

/** A trainer sees its own place, whose update is gathered before the mean; the next places are laid out before the test. */
function isolate(
  made: V1Job,
  { job, stage, round }: { readonly job: WorkflowJob; readonly stage: RoundStage; readonly round: JobRound },
): void {
  const pod = made.spec?.template.spec;
  if (!pod) throw new Error(`the Job ${made.metadata?.name} has no pod`);
  if (stage === 'train') {
    seeOwn(made, PATHS.round(round.round), PATHS);
    return;
  }
  const next = job.rounds[round.round];
  const first = stage === 'aggregate' ? recorder(job, 'gathered', round) : recorder(job, 'placed', next);
  pod.initContainers = [first];
  if (stage === 'aggregate') for (const each of [first, ...pod.containers]) seeNoShards(each, PATHS);
}

/** A step of the recorder for the clients of a round; behind the last one all places go. */
function recorder(
  { values, rounds, remembers }: WorkflowJob,
  step: 'placed' | 'gathered',
  { round, clients }: Pick<JobRound, 'round' | 'clients'> = { round: rounds.length + 1, clients: [] },
): V1Container {
  const args = joinedArguments([
    ...['--step', step, '--volume', PATHS.root, '--round', `${round}`],
    ...(clients.length === 0 ? [] : ['--clients', clients.join(',')]),
  ]);
  const remembering = step === 'placed' && remembers && clients.length > 0 ? ['--remember'] : [];
  return recorderContainer(`record-${step}`, [...args, ...remembering], values);
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
