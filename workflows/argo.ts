/** The job as an Argo Workflow: one step after the other, a round as a template of its own, a pod for each client. */
import { seeNoShards } from '../k8s/manifests/sight.js';
import { containerOf, inImage, QUEUE_LABEL } from '../k8s/manifests/stages.js';
import {
  type ArgumentTemplate,
  CLIENT_PARAMETER,
  parameterised,
  type RoundTemplate,
  templatesOf,
} from './parameters.js';
import { isPartial, PATHS, plainEnvironment, type WorkflowJob, type WorkflowStage } from './workflow-job.js';

const place = (name: string) => `{{inputs.parameters.${name}}}`;

/** The parameter of a round that lists its clients, as JSON. */
const CLIENTS = 'clients';

/** As the Jobs do: bad data, wrong usage and a missed threshold do not get better by trying again. */
const RETRY = {
  limit: 3,
  retryPolicy: 'Always',
  expression: 'asInt(lastRetry.exitCode) not in [2, 3, 4]',
  backoff: { duration: '10s', factor: 2, maxDuration: '10m' },
} as const;

/**
 * Argo's own containers in each pod have the rights of the controller's configuration, which are more than pod security
 * `restricted` allows unless somebody has set them. The user and the seccomp profile are the pod's.
 */
const OWN_CONTAINERS = JSON.stringify({
  initContainers: [restricted('init')],
  containers: [restricted('wait')],
});

/** The workflow, as an object that `argo submit` and `kubectl create` take. */
export function argoWorkflow(job: WorkflowJob): object {
  const { stages, namespace, queue } = job;
  const { spec } = stages.train.job;
  const pod = spec?.template.spec;
  const calls = parameterised(job, place);
  const templates = templatesOf(calls);
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
      podSpecPatch: OWN_CONTAINERS,
      templates: [
        {
          name: 'job',
          steps: [
            [{ name: 'split', template: 'split' }],
            [{ name: 'init', template: 'init' }],
            ...calls.map(({ round, template, values }) => [
              {
                name: `round-${round.name}`,
                template: template.name,
                arguments: {
                  parameters: [
                    ...template.parameters.map((name) => ({ name, value: values[name] })),
                    { name: CLIENTS, value: JSON.stringify(round.clients) },
                  ],
                },
              },
            ]),
          ],
        },
        ...templates.rounds.map((round) => roundTemplate(round, isPartial(job))),
        stageTemplate(stages.split, { name: 'split', queue, args: stages.split.args }),
        stageTemplate(stages.init, { name: 'init', queue, args: stages.init.args }),
        ...templates.stages.map((template) => roundStageTemplate(job, template)),
      ],
    },
  };
}

function restricted(name: string): object {
  return { name, securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } } };
}

/** Clients side by side, then their average, then its test. */
function roundTemplate({ name, stages, parameters }: RoundTemplate, goesOn: boolean): object {
  const passed = (template: ArgumentTemplate, more: readonly object[] = []) => ({
    parameters: [...template.parameters.map((name) => ({ name, value: place(name) })), ...more],
  });
  const { train, aggregate, evaluate } = stages;
  return {
    name,
    inputs: { parameters: [...parameters, CLIENTS].map((name) => ({ name })) },
    steps: [
      [
        {
          name: 'train',
          template: train.name,
          withParam: place(CLIENTS),
          arguments: passed(train, [{ name: CLIENT_PARAMETER, value: '{{item}}' }]),
          // Fewer than all may be enough: the aggregator counts them.
          ...(goesOn ? { continueOn: { failed: true } } : {}),
        },
      ],
      [{ name: 'aggregate', template: aggregate.name, arguments: passed(aggregate) }],
      [{ name: 'evaluate', template: evaluate.name, arguments: passed(evaluate) }],
    ],
  };
}

function roundStageTemplate({ stages, queue, isolates }: WorkflowJob, template: ArgumentTemplate): object {
  const { name, stage, arguments: args, parameters } = template;
  const used = structuredClone(stages[stage]);
  const { affinity } = used.job.spec?.template.spec ?? {};
  const isOfClient = stage === 'train';
  // What a trainer would see of its own is chosen by the index of a Job, and there is none.
  if (isolates && stage === 'aggregate') seeNoShards(containerOf(used.job), PATHS);
  const made = stageTemplate(used, {
    ...{ name, queue, args },
    parameters: isOfClient ? [...parameters, CLIENT_PARAMETER] : parameters,
  });
  return affinity === undefined ? made : { ...made, affinity: own(affinity) };
}

interface TemplateOptions {
  readonly name: string;
  readonly queue: string | undefined;
  readonly args: readonly string[];
  readonly parameters?: readonly string[];
}

/** A stage's container with its labels; the pod's other facts are the workflow's. */
function stageTemplate(
  stage: WorkflowStage,
  { name, queue, args, parameters = [] }: TemplateOptions,
): object {
  const { name: _name, resources = {}, ...container } = containerOf(stage.job);
  const deadline = stage.job.spec?.activeDeadlineSeconds;
  return {
    name,
    metadata: { labels: podLabels(stage, queue) },
    ...(parameters.length === 0 ? {} : { inputs: { parameters: parameters.map((name) => ({ name })) } }),
    ...(deadline === undefined ? {} : { activeDeadlineSeconds: deadline }),
    retryStrategy: RETRY,
    container: {
      ...container,
      command: inImage(stage.program),
      args,
      env: plainEnvironment(stage),
      resources: { requests: texts(resources.requests), limits: texts(resources.limits) },
    },
  };
}

/** Argo's schema wants quantities as texts; Kubernetes takes numbers too. */
function texts(quantities: Readonly<Record<string, string | number>> = {}): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(quantities).map(([name, quantity]) => [name, `${quantity}`]));
}

/** Not the name of the Jobs' pods: their network policy would cut Argo's own container off from the API server. */
function podLabels({ name }: WorkflowStage, queue: string | undefined): Readonly<Record<string, string>> {
  return {
    'app.kubernetes.io/part-of': 'fedbatch',
    'app.kubernetes.io/component': name,
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
