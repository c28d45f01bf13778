/** The job as a pipeline of Kubeflow Pipelines v2: the compiled form (IR) that the `kfp` SDK and its backend load. */

import { containerOf, QUEUE_LABEL, type Stage, type StageName } from '../k8s/manifests/stages.js';
import { UsageError } from '../lib/core/errors.js';
import {
  commandOf,
  type EngineJob,
  type RoundTexts,
  requireAllClients,
  roundArguments,
  roundTexts,
} from './workflow-job.js';

const ROUND_INPUTS = ['round', 'directory', 'selected', 'minUpdates', 'model', 'minAccuracy'] as const;

const place = (input: string) => `{{$.inputs.parameters['${input}']}}`;

const PLACES = Object.fromEntries(ROUND_INPUTS.map((name) => [name, place(name)])) as RoundTexts;

const STAGES = ['split', 'init', 'train', 'aggregate', 'evaluate'] as const satisfies readonly StageName[];

/** Inputs of a stage's component; the backend hands numbers on as 1.0, so that all are texts. */
const INPUTS: Readonly<Record<StageName, readonly string[]>> = {
  split: [],
  init: [],
  train: [...ROUND_INPUTS, 'client'],
  aggregate: ROUND_INPUTS,
  evaluate: ROUND_INPUTS,
};

/** Bytes of a gigabyte: the older fields for memory count in those. */
const GIGABYTE = 1e9;

/** The pipeline and, as a second document, what Kubernetes is told of it: the claim, the limits of pods. */
export function kfpPipeline(job: EngineJob): readonly [object, object] {
  requireAllClients(job, 'kfp');
  if (job.namespace !== undefined) {
    throw new UsageError(
      '--namespace does not go with --engine kfp: a run belongs to the namespace that starts it.',
    );
  }
  const pipeline = {
    components: {
      ...Object.fromEntries(STAGES.map((name) => [`comp-${name}`, stageComponent(name)])),
      'comp-clients': clientsComponent(),
      'comp-round': roundComponent(),
    },
    deploymentSpec: {
      executors: Object.fromEntries(
        STAGES.map((name) => [`exec-${name}`, { container: containerSpec(job, name) }]),
      ),
    },
    pipelineInfo: { name: 'fedbatch' },
    root: { dag: { tasks: rootTasks(job) } },
    schemaVersion: '2.1.0',
    sdkVersion: 'kfp-2.17.0',
  };
  const platform = Object.fromEntries(
    STAGES.map((name) => [`exec-${name}`, podConfig(job, job.stages[name])]),
  );
  return [pipeline, { platforms: { kubernetes: { deploymentSpec: { executors: platform } } } }];
}

function stageComponent(name: StageName): object {
  return { executorLabel: `exec-${name}`, ...definitions(INPUTS[name]) };
}

function definitions(texts: readonly string[], lists: readonly string[] = []): object {
  const parameters = [
    ...texts.map((name) => [name, { parameterType: 'STRING' }] as const),
    ...lists.map((name) => [name, { parameterType: 'LIST' }] as const),
  ];
  return parameters.length === 0 ? {} : { inputDefinitions: { parameters: Object.fromEntries(parameters) } };
}

/** A client's training, run once for each item of `clients`. */
function clientsComponent(): object {
  const train = { ...stageTask('train'), inputs: passed([...ROUND_INPUTS, 'client']) };
  return { dag: { tasks: { train } }, ...definitions([...ROUND_INPUTS, 'client'], ['clients']) };
}

function roundComponent(): object {
  const clients = {
    componentRef: { name: 'comp-clients' },
    inputs: passed([...ROUND_INPUTS, 'clients']),
    parameterIterator: { itemInput: 'client', items: { inputParameter: 'clients' } },
    taskInfo: { name: 'clients' },
  };
  const aggregate = { ...stageTask('aggregate', ['clients']), inputs: passed(ROUND_INPUTS) };
  const evaluate = { ...stageTask('evaluate', ['aggregate']), inputs: passed(ROUND_INPUTS) };
  return { dag: { tasks: { clients, aggregate, evaluate } }, ...definitions(ROUND_INPUTS, ['clients']) };
}

/** A stage is tried again as its Job is; its files are its result, so that nothing is taken from the cache. */
function stageTask(name: StageName, after: readonly string[] = []): object {
  return {
    cachingOptions: {},
    componentRef: { name: `comp-${name}` },
    ...(after.length === 0 ? {} : { dependentTasks: after }),
    retryPolicy: { backoffDuration: '10s', backoffFactor: 2, backoffMaxDuration: '600s', maxRetryCount: 3 },
    taskInfo: { name },
  };
}

const passed = (names: readonly string[]) => ({
  parameters: Object.fromEntries(names.map((name) => [name, { componentInputParameter: name }])),
});

/** One round after the other. */
function rootTasks({ rounds }: EngineJob): object {
  const constant = (value: unknown) => ({ runtimeValue: { constant: value } });
  const nameOf = (directory: string) => `round-${directory}`;
  const tasks = rounds.map((round, index) => {
    const before = rounds[index - 1];
    const texts = Object.entries(roundTexts(round)).map(([name, text]) => [name, constant(text)]);
    return [
      nameOf(round.directory),
      {
        componentRef: { name: 'comp-round' },
        dependentTasks: [before === undefined ? 'init' : nameOf(before.directory)],
        inputs: {
          parameters: {
            ...Object.fromEntries(texts),
            clients: constant(round.clients.map((client) => `${client}`)),
          },
        },
        taskInfo: { name: nameOf(round.directory) },
      },
    ];
  });
  return { split: stageTask('split'), init: stageTask('init', ['split']), ...Object.fromEntries(tasks) };
}

function containerSpec(job: EngineJob, name: StageName): object {
  const stage = job.stages[name];
  const isOfRound = name !== 'split' && name !== 'init';
  const args = isOfRound ? roundArguments(job, name, PLACES) : stage.args;
  const own = name === 'train' ? [`--client=${place('client')}`] : [];
  const env = Object.entries(stage.env).filter(([variable]) => variable !== 'FEDBATCH_CLIENTS');
  return {
    image: stage.image,
    command: commandOf(stage),
    args: [...args, ...own].map(concatenated),
    env: env.map(([variable, value]) => ({ name: variable, value })),
    resources: resourcesOf(stage),
  };
}

/** An input inside of a longer text is written as the SDK writes it. */
function concatenated(text: string): string {
  const parts = text.split(/(\{\{\$\.inputs\.parameters\['\w+'\]\}\})/).filter((part) => part !== '');
  return parts.length === 1 ? text : JSON.stringify({ Concat: parts });
}

/** Quantities as Kubernetes writes them, and as numbers for backends older than that. */
function resourcesOf({ resources }: Stage): object {
  const { requests = {}, limits = {} } = resources;
  const gpus = `${limits['nvidia.com/gpu'] ?? 0}`;
  const named = (kind: 'Request' | 'Limit', { cpu, memory }: Readonly<Record<string, string>>) => ({
    ...(cpu === undefined ? {} : { [`cpu${kind}`]: quantity(cpu), [`resourceCpu${kind}`]: `${cpu}` }),
    ...(memory === undefined
      ? {}
      : { [`memory${kind}`]: quantity(memory) / GIGABYTE, [`resourceMemory${kind}`]: `${memory}` }),
  });
  return {
    ...named('Request', requests),
    ...named('Limit', limits),
    ...(gpus === '0'
      ? {}
      : {
          accelerator: {
            type: 'nvidia.com/gpu',
            count: gpus,
            resourceType: 'nvidia.com/gpu',
            resourceCount: gpus,
          },
        }),
  };
}

const SUFFIXES: Readonly<Record<string, number>> = {
  n: 1e-9,
  u: 1e-6,
  m: 1e-3,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  E: 1e18,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
  Ei: 2 ** 60,
};

/** `500m` → 0.5, `1Gi` → 1073741824. */
function quantity(text: string | number): number {
  const [, digits = '', suffix = ''] = /^([\d.]+)([A-Za-z]*)$/.exec(`${text}`) ?? [];
  return Number(digits) * (SUFFIXES[suffix] ?? 1);
}

function podConfig({ claim, queue }: EngineJob, stage: Stage): object {
  const { securityContext, volumes = [] } = stage.job.spec?.template.spec ?? {};
  const mounts = containerOf(stage.job).volumeMounts ?? [];
  const pathOf = (volume: string) => mounts.find(({ name }) => name === volume)?.mountPath ?? '';
  const { runAsUser, runAsGroup, runAsNonRoot } = securityContext ?? {};
  const empty = volumes.filter(({ emptyDir }) => emptyDir !== undefined);
  return {
    pvcMount: [
      {
        constant: claim,
        pvcNameParameter: { runtimeValue: { constant: claim } },
        mountPath: pathOf('volume'),
      },
    ],
    emptyDirMounts: empty.map(({ name, emptyDir }) => ({
      volumeName: name,
      mountPath: pathOf(name),
      ...(emptyDir?.sizeLimit === undefined ? {} : { sizeLimit: emptyDir.sizeLimit }),
    })),
    activeDeadlineSeconds: `${stage.job.spec?.activeDeadlineSeconds}`,
    securityContext: { runAsUser: `${runAsUser}`, runAsGroup: `${runAsGroup}`, runAsNonRoot },
    podMetadata: {
      labels: {
        'app.kubernetes.io/part-of': 'fedbatch',
        'app.kubernetes.io/component': stage.name,
        ...(queue === undefined ? {} : { [QUEUE_LABEL]: queue }),
      },
    },
  };
}
