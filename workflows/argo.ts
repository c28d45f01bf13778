/** The job as an Argo Workflow: one step after the other, a round as a template of its own, a pod for each client. */
import { containerOf, QUEUE_LABEL, type Stage } from '../k8s/manifests/stages.js';
import { commandOf, type EngineJob, type RoundTexts, roundArguments, roundTexts } from './workflow-job.js';

/** What a round of the workflow is told. */
const ROUND_PARAMETERS = ['round', 'directory', 'selected', 'minUpdates', 'model', 'minAccuracy'] as const;

const parameter = (name: string) => `{{inputs.parameters.${name}}}`;

/** The texts that Argo fills in. */
const PLACES = Object.fromEntries(ROUND_PARAMETERS.map((name) => [name, parameter(name)])) as RoundTexts;

/** As the Jobs do: bad data, wrong usage and a missed threshold do not get better by trying again. */
const RETRY = {
  limit: 3,
  retryPolicy: 'Always',
  expression: 'asInt(lastRetry.exitCode) not in [2, 3, 4]',
  backoff: { duration: '10s', factor: 2, maxDuration: '10m' },
} as const;

/** The workflow, as an object that `argo submit` and `kubectl create` take. */
export function argoWorkflow(job: EngineJob): object {
  const { stages, rounds, namespace, queue } = job;
  const { spec } = stages.train.job;
  const pod = spec?.template.spec;
  const isPartial = rounds.some(({ clients, minUpdates }) => minUpdates < clients.length);
  return {
    apiVersion: 'argoproj.io/v1alpha1',
    kind: 'Workflow',
    metadata: {
      generateName: 'fedbatch-',
      ...(namespace === undefined ? {} : { namespace }),
      labels: { 'app.kubernetes.io/part-of': 'fedbatch' },
    },
    spec: {
      entrypoint: 'job',
      securityContext: pod?.securityContext,
      ttlStrategy: { secondsAfterCompletion: spec?.ttlSecondsAfterFinished },
      volumes: pod?.volumes,
      templates: [
        {
          name: 'job',
          steps: [
            [{ name: 'split', template: 'split' }],
            [{ name: 'init', template: 'init' }],
            ...rounds.map((round) => [
              {
                name: `round-${round.directory}`,
                template: 'round',
                arguments: {
                  parameters: ROUND_PARAMETERS.map((name) => ({ name, value: roundTexts(round)[name] })),
                },
              },
            ]),
          ],
        },
        roundTemplate(isPartial),
        stageTemplate(stages.split, { queue }),
        stageTemplate(stages.init, { queue }),
        trainTemplate(job),
        ...(['aggregate', 'evaluate'] as const).map((name) =>
          stageTemplate(stages[name], { queue, ...roundInputs(job, name) }),
        ),
      ],
    },
  };
}

/** Clients side by side, then their average, then its test. */
function roundTemplate(isPartial: boolean): object {
  const passed = ROUND_PARAMETERS.map((name) => ({ name, value: parameter(name) }));
  const withClient = [...passed, { name: 'client', value: '{{item}}' }];
  return {
    name: 'round',
    inputs: { parameters: ROUND_PARAMETERS.map((name) => ({ name })) },
    steps: [
      [
        {
          name: 'train',
          template: 'train',
          withParam: `[${parameter('selected')}]`,
          arguments: { parameters: withClient },
          // Fewer than all may be enough: the aggregator counts them.
          ...(isPartial ? { continueOn: { failed: true } } : {}),
        },
      ],
      [{ name: 'aggregate', template: 'aggregate', arguments: { parameters: passed } }],
      [{ name: 'evaluate', template: 'evaluate', arguments: { parameters: passed } }],
    ],
  };
}

/** The trainer of one client: told by name, where a Job tells by index. */
function trainTemplate(job: EngineJob): object {
  const stage = job.stages.train;
  const { args, parameters } = roundInputs(job, 'train');
  const template = stageTemplate(stage, {
    queue: job.queue,
    args: [...args, `--client=${parameter('client')}`],
    parameters: [...parameters, 'client'],
  });
  const { affinity } = stage.job.spec?.template.spec ?? {};
  return affinity === undefined ? template : { ...template, affinity: own(affinity) };
}

function roundInputs(job: EngineJob, stage: 'train' | 'aggregate' | 'evaluate') {
  return { args: roundArguments(job, stage, PLACES), parameters: ROUND_PARAMETERS as readonly string[] };
}

interface TemplateOptions {
  readonly queue: string | undefined;
  readonly args?: readonly string[];
  readonly parameters?: readonly string[];
}

/** A stage's container with its labels; the pod's other facts are the workflow's. */
function stageTemplate(stage: Stage, { queue, args, parameters }: TemplateOptions): object {
  const { name: _name, env = [], resources = {}, ...container } = containerOf(stage.job);
  const deadline = stage.job.spec?.activeDeadlineSeconds;
  return {
    name: stage.name,
    metadata: { labels: podLabels(stage, queue) },
    ...(parameters === undefined ? {} : { inputs: { parameters: parameters.map((name) => ({ name })) } }),
    ...(deadline === undefined ? {} : { activeDeadlineSeconds: deadline }),
    retryStrategy: RETRY,
    container: {
      ...container,
      command: commandOf(stage),
      args: args ?? stage.args,
      env: env.filter(({ name }) => name !== 'FEDBATCH_CLIENTS'),
      resources: { requests: texts(resources.requests), limits: texts(resources.limits) },
    },
  };
}

/** Argo's schema wants quantities as texts; Kubernetes takes numbers too. */
function texts(quantities: Readonly<Record<string, string | number>> = {}): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(quantities).map(([name, quantity]) => [name, `${quantity}`]));
}

/** Not the name of the Jobs' pods: their network policy would cut Argo's own container off from the API server. */
function podLabels(stage: Stage, queue: string | undefined): Readonly<Record<string, string>> {
  return {
    'app.kubernetes.io/part-of': 'fedbatch',
    'app.kubernetes.io/component': stage.name,
    ...(queue === undefined ? {} : { [QUEUE_LABEL]: queue }),
  };
}

/** Rules about the Jobs' pods become rules about the workflow's. */
function own(affinity: object): unknown {
  return JSON.parse(
    JSON.stringify(affinity)
      .replaceAll('"app.kubernetes.io/name":"fedbatch"', '"app.kubernetes.io/part-of":"fedbatch"')
      .replaceAll('"app.kubernetes.io/component":"trainer"', '"app.kubernetes.io/component":"train"'),
  );
}
