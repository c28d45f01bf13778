/** The Jobs of a run, made from the templates: the same images, limits and security, other names and arguments. */
import type { V1ConfigMap, V1Container, V1Job } from '@kubernetes/client-node';
import { sha256 } from '../../lib/formats/files/read-file.js';
import { volumePaths } from '../../lib/formats/volume.js';
import type { RunSettings } from '../../lib/settings/table.js';
import {
  aggregateCommand,
  evaluateCommand,
  initCommand,
  type StageCommand,
  splitCommand,
  trainCommand,
} from '../../pipeline/commands/stage-commands.js';
import type { AggregateTask, EvaluateTask, TrainTask } from '../../pipeline/runner.js';
import type { Values } from '../manifests/placeholders.js';
import { containerOf, inImage, QUEUE_LABEL, readStage, stageOf } from '../manifests/stages.js';
import { fillTemplate } from '../manifests/templates.js';
import { HASH_ANNOTATION, jobName, type StageLabel, stageLabels } from './names.js';

/** A Job to be there, and the facts that its recorder is given. */
export interface PlannedJob {
  readonly job: V1Job;
  readonly facts?: V1ConfigMap;
  /** Made anew whenever the run is started: it looks at the volume as it is now. */
  readonly isFresh?: boolean;
  /** Pods that are enough of it; by default all. */
  readonly quorum?: number;
}

/** What all Jobs of a run are made from. */
export interface JobPlan {
  /** The run's name in the cluster, and its id. */
  readonly run: string;
  readonly id: string;
  readonly settings: RunSettings;
  readonly values: Values;
  readonly namespace: string;
  readonly queue?: string | undefined;
  /** Directory of the run in the containers, below /mnt. */
  readonly directory: string;
  readonly threads: number;
  readonly retries: number;
  readonly deadlineSeconds?: number | undefined;
}

/** Where the recorder finds its facts, and the program in the pipeline's image. */
const FACTS_DIRECTORY = '/facts';
const FACTS_FILE = 'facts.json';
const FACTS_MOUNT = { name: 'facts', mountPath: FACTS_DIRECTORY, readOnly: true };
const RECORDER = inImage('pipeline/record/cli.js');

type RecordStep = 'open' | 'trained' | 'tested' | 'end' | 'failed';

/** Makes the Jobs of a run. */
export function stageJobs(plan: JobPlan) {
  const { settings, threads } = plan;
  const source = { settings, threads, paths: volumePaths(plan.directory) };
  const stage = (command: StageCommand): V1Job => stageOf(command, plan.values).job;
  const evaluator = (file: string): V1Container =>
    containerOf(stage(evaluateCommand(source, { models: [file] })));
  /** A Job of the evaluator's template with nothing in it but the recorder. */
  const recording = (step: RecordStep): V1Job => {
    const { job } = readStage('evaluate', plan.values);
    replaceContainer(job, recorder(plan, step));
    return job;
  };
  return {
    /** Judges the data, opens the volume, then splits: all look at what lies there. */
    start(facts: object, { fresh }: { readonly fresh: boolean }): PlannedJob {
      const job = stage(splitCommand(source));
      const splitter = containerOf(job);
      const check = { ...splitter, name: CHECKER, args: [...(splitter.args ?? []), '--check'] };
      const open = recorder(plan, 'open', fresh ? ['--fresh'] : []);
      return planned(plan, { stage: 'start', job, first: [check, open], facts, isFresh: true });
    },
    init(): PlannedJob {
      const job = stage(initCommand(source));
      return planned(plan, { stage: 'init', job });
    },
    train(task: TrainTask): PlannedJob {
      const { round, clients, quorum = clients.length } = task;
      const job = stage(trainCommand(source, task));
      const { spec } = job;
      const variable = containerOf(job).env?.find(({ name }) => name === 'FEDBATCH_CLIENTS');
      if (spec === undefined || variable === undefined)
        throw new Error('the template of the trainer has no clients');
      variable.value = clients.join(',');
      spec.completions = clients.length;
      spec.parallelism = clients.length;
      spec.backoffLimitPerIndex = plan.retries;
      spec.maxFailedIndexes = clients.length - quorum;
      if (plan.deadlineSeconds !== undefined) spec.activeDeadlineSeconds = Math.ceil(plan.deadlineSeconds);
      // The same clients on another model is other work.
      return { ...planned(plan, { stage: 'train', round, job, identity: task.global.sha256 }), quorum };
    },
    /** The round's record is written first; the aggregator takes the updates that the same facts tell. */
    aggregate(task: AggregateTask, facts: object): PlannedJob {
      const { selected } = facts as { readonly selected: readonly number[] };
      const minUpdates = Math.min(task.quorum ?? task.updates.length, task.updates.length);
      // The facts come from the trainers' pods by way of the API server: what lies on the volume cannot change them.
      const record = `${FACTS_DIRECTORY}/${FACTS_FILE}`;
      const round = { round: task.round, clients: selected };
      const job = stage(aggregateCommand(source, round, { minUpdates, record }));
      const container = containerOf(job);
      container.volumeMounts = [...(container.volumeMounts ?? []), FACTS_MOUNT];
      return planned(plan, {
        stage: 'aggregate',
        round: task.round,
        job,
        first: [recorder(plan, 'trained')],
        facts,
      });
    },
    /** The test, then the round's record. */
    evaluate({ round, global }: EvaluateTask, facts: object): PlannedJob {
      const job = recording('tested');
      const first = [evaluator(global.file)];
      return planned(plan, { stage: 'evaluate', round, job, first, facts });
    },
    /** The results take their places; `test` is a last model whose test was overwritten. */
    end(
      facts: object,
      { test, identity }: { readonly test: string | undefined; readonly identity: string },
    ): PlannedJob {
      const job = recording('end');
      const first = test === undefined ? [] : [evaluator(test)];
      return planned(plan, { stage: 'end', job, first, facts, identity });
    },
    /** The run's failure is put on its record. */
    failed(facts: object): PlannedJob {
      const job = recording('failed');
      return planned(plan, { stage: 'failed', job, facts, isFresh: true });
    },
  };
}

/** The Jobs of a run. */
export type StageJobs = ReturnType<typeof stageJobs>;

/** The name of the container that judges the data: it fails before the volume is opened. */
const CHECKER = 'check';

/** The name of the recorder's container, by which its result is found. */
export const recorderName = (step: RecordStep): string => `record-${step}`;

function recorder(
  { values, directory }: JobPlan,
  step: RecordStep,
  more: readonly string[] = [],
): V1Container {
  const [job] = fillTemplate('pipeline', values).filter(
    ({ kind }) => kind === 'Job',
  ) as unknown as readonly V1Job[];
  if (job === undefined) throw new Error('the template of the pipeline makes no Job');
  const container = containerOf(job);
  return {
    ...container,
    name: recorderName(step),
    command: [...RECORDER],
    args: ['--step', step, '--volume', directory, '--facts', `${FACTS_DIRECTORY}/${FACTS_FILE}`, ...more],
    env: (container.env ?? []).filter(({ name }) => name.startsWith('FEDBATCH_')),
    volumeMounts: [{ name: 'volume', mountPath: '/mnt' }, { name: 'tmp', mountPath: '/tmp' }, FACTS_MOUNT],
  };
}

interface StageShape {
  readonly stage: StageLabel;
  readonly round?: number;
  readonly job: V1Job;
  /** Containers that run before that of the Job. */
  readonly first?: readonly V1Container[];
  readonly facts?: object;
  /** What tells work of equal manifests apart; the facts, where nothing is given. */
  readonly identity?: string;
  readonly isFresh?: boolean;
}

/** Names and labels a Job, and notes what work it does. */
function planned(
  plan: JobPlan,
  { stage, round, job, first = [], facts, identity, isFresh }: StageShape,
): PlannedJob {
  const { run, id, namespace, queue } = plan;
  const name = jobName(run, stage, round);
  const labels = stageLabels(run, stage, round);
  const { spec } = job;
  const pod = spec?.template.spec;
  if (spec === undefined || !pod) throw new Error(`the template of ${stage} has no pod`);
  if (first.length > 0) pod.initContainers = [...first];
  if (facts !== undefined) pod.volumes = [...(pod.volumes ?? []), { name: 'facts', configMap: { name } }];
  const { metadata: template } = spec.template;
  spec.template.metadata = { ...template, labels: { ...template?.labels, ...labels } };
  const work = sha256(JSON.stringify([spec, identity ?? facts ?? null]));
  job.metadata = {
    name,
    namespace,
    labels: { ...job.metadata?.labels, ...labels, ...(queue === undefined ? {} : { [QUEUE_LABEL]: queue }) },
    annotations: { [HASH_ANNOTATION]: work, 'fedbatch.io/run-id': id },
  };
  return {
    job,
    ...(isFresh === undefined ? {} : { isFresh }),
    ...(facts === undefined ? {} : { facts: configMap(plan, { name, labels, facts }) }),
  };
}

function configMap(
  { namespace }: JobPlan,
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
