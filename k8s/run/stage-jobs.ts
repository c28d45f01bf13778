/** The Jobs of a run, made from the templates: the same images, limits and security, other names and arguments. */
import type { V1ConfigMap, V1Container, V1Job } from '@kubernetes/client-node';
import { writeClientList } from '../../lib/federation/client-list.js';
import { volumePaths } from '../../lib/formats/volume.js';
import type { RunSettings } from '../../lib/settings/table.js';
import {
  evaluateCommand,
  type StageCommand,
  splitCommand,
  trainCommand,
} from '../../pipeline/commands/stage-commands.js';
import { type EachTask, eachCommand } from '../../pipeline/rounds/on-clients.js';
import type { GlobalModel } from '../../pipeline/rounds/runner.js';
import type { Values } from '../manifests/placeholders.js';
import { recorderContainer, seeNoShards, seeOwn } from '../manifests/sight.js';
import { containerOf, inImage, QUEUE_LABEL, readStage, stageOf } from '../manifests/stages.js';
import { containersIn, identitiesOf } from './job-identity.js';
import { jobName, type StageLabel, stageLabels } from './names.js';

/** A Job to be there, and the facts that its recorder is given. */
export interface PlannedJob {
  readonly job: V1Job;
  readonly facts?: V1ConfigMap;
  /** Made anew whenever the run is started: it looks at the volume as it is now. */
  readonly isFresh?: boolean;
  /** Pods that are enough of it; by default all. */
  readonly quorum?: number;
  /** Clients that one of its pods trains in turn, where its pods have clients; 1 by default. */
  readonly clientsPerPod?: number;
  /** The container whose result is the Job's; the recorder's, where it is not named. */
  readonly container?: string;
}

/** What a Job is told beside its commands. */
export interface JobDetails {
  /** What its recorder puts on record: records are on the volume, which only pods see. */
  readonly facts?: object | undefined;
  /** Pods that are enough of it; by default all. */
  readonly quorum?: number | undefined;
  /** The global model that its clients start from. */
  readonly global?: Pick<GlobalModel, 'sha256'> | undefined;
  readonly retries?: number | undefined;
  readonly deadlineSeconds?: number | undefined;
}

/** How Jobs are named and labelled that belong together. */
interface JobNames {
  /** The run's name in the cluster, and its id. */
  readonly run: string;
  readonly id: string;
  readonly namespace: string;
  readonly queue?: string | undefined;
  /** Arguments by which the recorder opens those who watch the run. */
  readonly watching?: readonly string[] | undefined;
}

/** What all Jobs of a run are made from. */
export interface JobPlan extends JobNames {
  readonly settings: RunSettings;
  readonly values: Values;
  /** Directory of the run in the containers, below /mnt. */
  readonly directory: string;
  readonly threads: number;
  /** Clients that a pod trains in turn; 1 by default. */
  readonly clientsPerPod?: number | undefined;
  /** Whether a pod sees of the claim what it needs, and nothing else. */
  readonly isolates: boolean;
}

/** Where the recorder finds its facts, and the program in the pipeline's image. */
const FACTS_DIRECTORY = '/facts';
const FACTS_FILE = 'facts.json';
/** Where the aggregator finds the round's record: it comes by way of the API server, and nothing on the volume changes it. */
export const RECORD_FILE = `${FACTS_DIRECTORY}/${FACTS_FILE}`;
const FACTS_MOUNT = { name: 'facts', mountPath: FACTS_DIRECTORY, readOnly: true };

type RecordStep = 'open' | 'placed' | 'trained' | 'tested' | 'end' | 'failed';

/** Makes the Job of a user's command on all clients, which is no part of a run and is made anew each time. */
export function eachJobs(plan: JobNames & Pick<JobPlan, 'values'>, task: EachTask): Pick<StageJobs, 'of'> {
  return {
    of(commands, details = {}) {
      const { job } = stageOf(eachCommand(task), plan.values);
      return planned(plan, { stage: 'each', isFresh: true, ...indexed(job, commands, details) });
    },
  };
}

/** Makes the Jobs of a run. */
export function stageJobs(plan: JobPlan) {
  const { settings, threads, isolates, clientsPerPod = 1 } = plan;
  const paths = volumePaths(plan.directory);
  const source = { settings, threads, paths };
  const stage = (command: StageCommand): V1Job => {
    const { job } = stageOf(command, plan.values);
    const { env = [] } = containerOf(job);
    // What is pushed is kept apart by its run.
    if (plan.values.PUSHGATEWAY) containerOf(job).env = [...env, { name: 'FEDBATCH_RUN', value: plan.id }];
    return job;
  };
  /** A Job of the evaluator's template with nothing in it but the recorder. */
  const recording = (step: RecordStep): V1Job => {
    const { job } = readStage('evaluate', plan.values);
    replaceContainer(job, recorder(plan, step, step === 'tested' && isolates ? ['--places'] : []));
    return job;
  };
  /** What a Job has done, before the places are laid out of the clients that come next; that step alone where none are. */
  const thenPlaces = (job: V1Job, first: readonly V1Container[] = []): Pick<StageShape, 'job' | 'first'> => {
    if (!isolates) return { job, first };
    const last = containerOf(job);
    replaceContainer(job, recorder(plan, 'placed'));
    return { job, first: [...first, last] };
  };
  return {
    /** Judges the data, opens the volume, then splits: all look at what lies there. */
    start(facts: object, { fresh }: { readonly fresh: boolean }): PlannedJob {
      const job = stage(splitCommand(source));
      const splitter = containerOf(job);
      const check = { ...splitter, name: CHECKER, args: [...(splitter.args ?? []), '--check'] };
      const open = recorder(plan, 'open', fresh ? ['--fresh'] : []);
      const shape = { stage: 'start', facts, isFresh: true } as const;
      return planned(plan, { ...shape, ...thenPlaces(job, [check, open]) });
    },
    /** The Job of commands of one stage: the clients of a round are the indexes of one. */
    of(commands: readonly StageCommand[], details: JobDetails = {}): PlannedJob {
      const [command] = commands;
      if (command === undefined) throw new Error('a Job without a command');
      const { stage: name, round } = command;
      const { facts } = details;
      if (name === 'train') return planned(plan, { stage: name, round, ...trainers(commands, details) });
      const job = stage(command);
      const container = containerOf(job);
      const shape = { stage: name as StageLabel, round, job, facts, container: container.name };
      if (name === 'evaluate')
        return planned(plan, { ...shape, job: recording('tested'), first: [container] });
      if (name !== 'aggregate')
        return planned(plan, isolates ? { ...shape, facts: {}, ...thenPlaces(job) } : shape);
      // The round's record is written first; the aggregator takes the updates that the same facts tell.
      container.volumeMounts = [...(container.volumeMounts ?? []), FACTS_MOUNT];
      const first = recorder(plan, 'trained');
      if (isolates) for (const each of [first, container]) seeNoShards(each, paths);
      return planned(plan, { ...shape, first: [first] });
    },
    /** The results take their places; `test` is a last model whose test was overwritten. */
    end(
      facts: object,
      { test, identity }: { readonly test: string | undefined; readonly identity: string },
    ): PlannedJob {
      const job = recording('end');
      const first =
        test === undefined ? [] : [containerOf(stage(evaluateCommand(source, { models: [test] })))];
      return planned(plan, { stage: 'end', job, first, facts, identity });
    },
    /** The run's failure is put on its record. */
    failed(facts: object): PlannedJob {
      const job = recording('failed');
      return planned(plan, { stage: 'failed', job, facts, isFresh: true });
    },
  };

  function trainers(commands: readonly StageCommand[], details: JobDetails) {
    const clients = commands.map(({ client }) => client ?? 0);
    const { round = 1 } = commands[0] ?? {};
    const job = stage(trainCommand(source, { round, clients, global: details.global }));
    if (isolates) seeOwn(job, paths.round(round), paths);
    if (clientsPerPod > 1)
      trainInTurn(containerOf(job), { clientsPerPod, round, retries: details.retries ?? 0 });
    return indexed(job, commands, { ...details, clientsPerPod });
  }
}

/** Has a container train several clients, one after the other, as it would train one. */
function trainInTurn(
  container: V1Container,
  { clientsPerPod, round, retries }: Readonly<Record<'clientsPerPod' | 'round' | 'retries', number>>,
): void {
  container.command = [...inImage('pipeline/in-turn-cli.js')];
  const own = [`--clients-per-pod=${clientsPerPod}`, `--round=${round}`, `--retries=${retries}`];
  container.args = [...own, '--', ...(container.args ?? [])];
}

/** Has index i of a Job do the work of the i-th command's client, or of the i-th so many. */
function indexed(
  job: V1Job,
  commands: readonly StageCommand[],
  {
    quorum = commands.length,
    retries = 0,
    deadlineSeconds,
    clientsPerPod = 1,
  }: JobDetails & Pick<PlannedJob, 'clientsPerPod'>,
): Pick<StageShape, 'job' | 'container' | 'quorum' | 'clientsPerPod'> {
  const clients = commands.map(({ client }) => client ?? 0);
  const { spec } = job;
  const container = containerOf(job);
  const variable = container.env?.find(({ name }) => name === 'FEDBATCH_CLIENTS');
  if (spec === undefined || variable === undefined)
    throw new Error('the template of the trainer has no clients');
  variable.value = writeClientList(clients);
  const pods = Math.ceil(clients.length / clientsPerPod);
  spec.completions = pods;
  spec.parallelism = pods;
  spec.backoffLimitPerIndex = retries;
  // The last pod may have fewer clients than the others: whether enough are left is counted by clients in the end.
  spec.maxFailedIndexes = Math.ceil((clients.length - quorum) / clientsPerPod);
  if (deadlineSeconds !== undefined) spec.activeDeadlineSeconds = Math.ceil(deadlineSeconds);
  return { job, container: container.name, quorum: Math.ceil(quorum / clientsPerPod), clientsPerPod };
}

/** The Jobs of a run. */
export type StageJobs = ReturnType<typeof stageJobs>;

/** The name of the container that judges the data: it fails before the volume is opened. */
const CHECKER = 'check';

/** The name of the recorder's container, by which its result is found. */
export const recorderName = (step: RecordStep): string => `${RECORDER_PREFIX}${step}`;

const RECORDER_PREFIX = 'record-';

function recorder(
  { values, directory }: JobPlan,
  step: RecordStep,
  more: readonly string[] = [],
): V1Container {
  const args = ['--step', step, '--volume', directory, '--facts', RECORD_FILE, ...more];
  const container = recorderContainer(recorderName(step), args, values);
  container.volumeMounts = [...(container.volumeMounts ?? []), FACTS_MOUNT];
  return container;
}

interface StageShape extends Pick<JobDetails, 'facts'> {
  /** What tells work of equal commands apart; the facts, where nothing is given. */
  readonly identity?: string;
  readonly stage: StageLabel;
  readonly round?: number | undefined;
  readonly job: V1Job;
  /** Containers that run before that of the Job. */
  readonly first?: readonly V1Container[];
  readonly isFresh?: boolean;
  readonly container?: string;
  readonly quorum?: number;
  readonly clientsPerPod?: number;
}

/** Names and labels a Job, and notes what work it does. */
function planned(
  plan: JobNames,
  { stage, round, job, first = [], facts, identity, isFresh, container, quorum, clientsPerPod }: StageShape,
): PlannedJob {
  const { run, id, namespace, queue, watching = [] } = plan;
  const name = jobName(run, stage, round);
  const labels = stageLabels(run, stage, round);
  const { spec } = job;
  const pod = spec?.template.spec;
  if (spec === undefined || !pod) throw new Error(`the template of ${stage} has no pod`);
  if (first.length > 0) pod.initContainers = [...first];
  if (facts !== undefined) pod.volumes = [...(pod.volumes ?? []), { name: 'facts', configMap: { name } }];
  const { metadata: template } = spec.template;
  spec.template.metadata = { ...template, labels: { ...template?.labels, ...labels } };
  const identities = identitiesOf({ ...spec.template, spec: pod }, identity ?? facts ?? null);
  // Whoever watches changes nothing about the work.
  for (const each of containersIn(pod)) watch(each, watching);
  job.metadata = {
    name,
    namespace,
    labels: { ...job.metadata?.labels, ...labels, ...(queue === undefined ? {} : { [QUEUE_LABEL]: queue }) },
    annotations: { ...identities, 'fedbatch.io/run-id': id },
  };
  return {
    job,
    ...(isFresh === undefined ? {} : { isFresh }),
    ...(container === undefined ? {} : { container }),
    ...(quorum === undefined ? {} : { quorum }),
    ...(clientsPerPod === undefined ? {} : { clientsPerPod }),
    ...(facts === undefined ? {} : { facts: configMap(plan, { name, labels, facts }) }),
  };
}

/** The Secret with what MLflow's own clients read from their environment, a token for example; there may be none. */
const MLFLOW_SECRET = 'fedbatch-mlflow';

/** Has a recorder open those who watch the run. */
function watch(container: V1Container, watching: readonly string[]): void {
  if (watching.length === 0 || !container.name.startsWith(RECORDER_PREFIX)) return;
  container.args = [...(container.args ?? []), ...watching];
  container.envFrom = [{ secretRef: { name: MLFLOW_SECRET, optional: true } }];
}

function configMap(
  { namespace }: JobNames,
  {
    name,
    labels,
    facts,
  }: { readonly name: string; readonly labels: Record<string, string>; readonly facts: object },
): V1ConfigMap {
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name, namespace, labels },
    data: { [FACTS_FILE]: JSON.stringify(facts) },
  };
}

function replaceContainer(job: V1Job, container: V1Container): void {
  const pod = job.spec?.template.spec;
  if (pod) pod.containers = [container];
}
