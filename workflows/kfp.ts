/** The job as a pipeline of Kubeflow Pipelines v2: the compiled form (IR) that the `kfp` SDK and its backend load. */

import { containerOf, inImage, QUEUE_LABEL } from '../k8s/manifests/stages.js';
import {
  type ArgumentTemplate,
  CLIENT_PARAMETER,
  parameterised,
  type RoundCall,
  type RoundTemplate,
  templatesOf,
} from './parameters.js';
import { plainEnvironment, type WorkflowJob, type WorkflowStage } from './workflow-job.js';

/** Stands in the midst of an argument as well: the backend's launcher replaces text, and knows no `Concat` of the SDK's. */
const place = (input: string) => `{{$.inputs.parameters['${input}']}}`;

/** The input of a round that lists its clients. */
const CLIENTS = 'clients';

/** A component that runs a container. */
interface ContainerComponent {
  readonly name: string;
  readonly stage: WorkflowStage;
  readonly arguments: readonly string[];
  /** The backend hands numbers on as 1.0, so that all are texts. */
  readonly inputs: readonly string[];
}

/** Bytes of a gigabyte: the older fields for memory count in those. */
const GIGABYTE = 1e9;

/** The pipeline and, as a second document, what Kubernetes is told of it: the claim, the limits of pods. */
export function kfpPipeline(job: WorkflowJob): readonly [object, object] {
  const calls = parameterised(job, place);
  const { rounds, stages } = templatesOf(calls);
  const components = [
    ...(['split', 'init'] as const).map((name) => openingComponent(job, name)),
    ...stages.map((template) => roundComponentOf(job, template)),
  ];
  const executors = <T>(of: (component: ContainerComponent) => T) =>
    Object.fromEntries(components.map((component) => [`exec-${component.name}`, of(component)]));
  const pipeline = {
    components: Object.fromEntries([
      ...components.map(({ name, inputs }) => [
        `comp-${name}`,
        { executorLabel: `exec-${name}`, ...definitions(inputs) },
      ]),
      ...rounds.flatMap((template) => [
        [`comp-${clientsOf(template)}`, clientsComponent(template)],
        [`comp-${template.name}`, roundComponent(template)],
      ]),
    ]),
    deploymentSpec: { executors: executors((component) => ({ container: containerSpec(component) })) },
    pipelineInfo: { name: 'fedbatch' },
    root: { dag: { tasks: rootTasks(calls) } },
    schemaVersion: '2.1.0',
    sdkVersion: 'kfp-2.17.0',
  };
  const platform = executors(({ stage }) => podConfig(job, stage));
  return [pipeline, { platforms: { kubernetes: { deploymentSpec: { executors: platform } } } }];
}

function openingComponent({ stages }: WorkflowJob, name: 'split' | 'init'): ContainerComponent {
  const stage = stages[name];
  return { name, stage, arguments: stage.args, inputs: [] };
}

function roundComponentOf({ stages }: WorkflowJob, template: ArgumentTemplate): ContainerComponent {
  const { name, stage, arguments: args } = template;
  return { name, stage: stages[stage], arguments: args, inputs: inputsOf(template) };
}

const inputsOf = ({ stage, parameters }: ArgumentTemplate): readonly string[] =>
  stage === 'train' ? [...parameters, CLIENT_PARAMETER] : parameters;

/** The name of a round's component that runs its trainers: `round-2` → `clients-2`. */
const clientsOf = ({ name }: RoundTemplate): string => name.replace('round', 'clients');

function definitions(texts: readonly string[], lists: readonly string[] = []): object {
  const parameters = [
    ...texts.map((name) => [name, { parameterType: 'STRING' }] as const),
    ...lists.map((name) => [name, { parameterType: 'LIST' }] as const),
  ];
  return parameters.length === 0 ? {} : { inputDefinitions: { parameters: Object.fromEntries(parameters) } };
}

/** A client's training, run once for each item of `clients`. */
function clientsComponent({ stages }: RoundTemplate): object {
  const { train } = stages;
  const inputs = inputsOf(train);
  return {
    dag: { tasks: { train: { ...stageTask(train.name), inputs: passed(inputs) } } },
    ...definitions(inputs, [CLIENTS]),
  };
}

function roundComponent(template: RoundTemplate): object {
  const { train, aggregate, evaluate } = template.stages;
  const clients = {
    componentRef: { name: `comp-${clientsOf(template)}` },
    inputs: passed([...train.parameters, CLIENTS]),
    parameterIterator: { itemInput: CLIENT_PARAMETER, items: { inputParameter: CLIENTS } },
    taskInfo: { name: CLIENTS },
  };
  const tasks = {
    clients,
    aggregate: { ...stageTask(aggregate.name, [CLIENTS]), inputs: passed(aggregate.parameters) },
    evaluate: { ...stageTask(evaluate.name, ['aggregate']), inputs: passed(evaluate.parameters) },
  };
  return { dag: { tasks }, ...definitions(template.parameters, [CLIENTS]) };
}

/** A stage is retried as its Job is; its files are its result, so that nothing is taken from the cache. */
function stageTask(name: string, after: readonly string[] = []): object {
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
function rootTasks(calls: readonly RoundCall[]): object {
  const constant = (value: unknown) => ({ runtimeValue: { constant: value } });
  const nameOf = ({ round }: RoundCall) => `round-${round.name}`;
  const tasks = calls.map((call, index) => {
    const { round, template, values } = call;
    const before = calls[index - 1];
    const texts = template.parameters.map((name) => [name, constant(values[name])]);
    return [
      nameOf(call),
      {
        componentRef: { name: `comp-${template.name}` },
        dependentTasks: [before === undefined ? 'init' : nameOf(before)],
        inputs: {
          parameters: {
            ...Object.fromEntries(texts),
            [CLIENTS]: constant(round.clients.map((client) => `${client}`)),
          },
        },
        taskInfo: { name: nameOf(call) },
      },
    ];
  });
  return { split: stageTask('split'), init: stageTask('init', ['split']), ...Object.fromEntries(tasks) };
}

function containerSpec({ stage, arguments: args }: ContainerComponent): object {
  return {
    image: stage.image,
    command: inImage(stage.program),
    args,
    env: plainEnvironment(stage).map(({ name, value = '' }) => ({ name, value })),
    resources: resourcesOf(stage),
  };
}

/** Quantities as Kubernetes writes them, and as numbers for backends older than that. */
function resourcesOf({ resources }: WorkflowStage): object {
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

function podConfig({ claim, queue }: WorkflowJob, stage: WorkflowStage): object {
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
