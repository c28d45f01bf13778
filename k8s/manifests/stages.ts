/** The stages as Jobs, read from the templates: the one description of their pods that all targets start from. */
import type { V1Container, V1Job, V1ResourceRequirements } from '@kubernetes/client-node';
import { joinedArguments, type StageCommand } from '../../pipeline/commands/stage-commands.js';
import type { Values } from './placeholders.js';
import { fillTemplate, type TemplateName } from './templates.js';

/** The label by which Kueue knows a Job as its own, and the queue that it waits in. */
export const QUEUE_LABEL = 'kueue.x-k8s.io/queue-name';

/** A stage that runs to its end. */
export type StageName = StageCommand['stage'];

/** A stage's Job and what its one container runs. */
export interface Stage {
  readonly name: StageName;
  /** The caller's own, to change at will. */
  readonly job: V1Job;
  readonly image: string;
  /** In the place of the image's own entry point; undefined where that runs. */
  readonly command: readonly string[] | undefined;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly resources: V1ResourceRequirements;
}

/** A stage that has a template of its own. */
export type TemplateStage = Exclude<StageName, 'init' | 'each'>;

const TEMPLATE_OF = {
  split: 'splitter',
  train: 'trainer',
  aggregate: 'aggregator',
  evaluate: 'accuracy-test',
} as const satisfies Readonly<Record<TemplateStage, TemplateName>>;

/** The templates that every run on a cluster is made from. */
export const STAGE_TEMPLATES: readonly TemplateName[] = Object.values(TEMPLATE_OF);

/**
 * A stage with its template's own arguments, those of a job by hand.
 *
 * @throws {UsageError} when a value is missing, or not what its placeholder takes
 */
export function readStage(name: TemplateStage, values: Values): Stage {
  return stageIn(name, jobOf(fillTemplate(TEMPLATE_OF[name], values), TEMPLATE_OF[name]));
}

/**
 * The pod of a command: image, limits and security of the template, and the command's arguments.
 *
 * @throws {UsageError} when a value is not what its placeholder takes
 */
export function stageOf({ stage, program, arguments: args }: StageCommand, values: Values): Stage {
  // The template asks for these; what the command does stands in its arguments.
  const isByTrainer = stage === 'init' || stage === 'each';
  const { job } = readStage(isByTrainer ? 'train' : stage, {
    WORKER_NUMBER: '1',
    EPOCH: '1',
    BATCH: '1',
    ...values,
  });
  const container = containerOf(job);
  container.args = [...joinedArguments(args)];
  if (stage === 'init') makeInit(job);
  if (isByTrainer) container.command = [...inImage(program)];
  // Kubernetes would put variables into the words of a command that is not ours.
  if (stage === 'each') container.args = container.args.map((word) => word.replaceAll('$', '$$$$'));
  return stageIn(stage, job);
}

/** How the images of the services start a program. */
export const inImage = (program: string): readonly string[] => ['node', `/app/dist/${program}`];

function stageIn(name: StageName, job: V1Job): Stage {
  const { image = '', command, args = [], env = [], resources = {} } = containerOf(job);
  return {
    name,
    job,
    image,
    command,
    args,
    env: Object.fromEntries(env.map((each) => [each.name, each.value ?? ''])),
    resources,
  };
}

/** The one container of a Job of ours. */
export function containerOf(job: V1Job): V1Container {
  const [container] = job.spec?.template.spec?.containers ?? [];
  if (container === undefined) throw new Error(`the Job ${job.metadata?.name} has no container`);
  return container;
}

/** The initial model takes one pod of the trainer's image, and no client. */
function makeInit(job: V1Job): void {
  const { spec, metadata } = job;
  if (spec === undefined || metadata === undefined) throw new Error('the trainer has no Job');
  const container = containerOf(job);
  metadata.name = 'fedbatch-init';
  for (const { labels } of [metadata, spec.template.metadata ?? {}]) {
    if (labels) labels['app.kubernetes.io/component'] = 'init';
  }
  delete spec.completionMode;
  delete spec.completions;
  delete spec.parallelism;
  delete spec.backoffLimitPerIndex;
  delete spec.maxFailedIndexes;
  spec.backoffLimit = 3;
  for (const rule of spec.podFailurePolicy?.rules ?? [])
    if (rule.action === 'FailIndex') rule.action = 'FailJob';
  delete spec.template.spec?.affinity;
  delete spec.template.spec?.topologySpreadConstraints;
  container.name = 'init';
  container.env = (container.env ?? []).filter(({ name }) => name !== 'FEDBATCH_CLIENTS');
  delete container.resources?.limits?.['nvidia.com/gpu'];
}

function jobOf(objects: readonly { readonly kind: string }[], template: TemplateName): V1Job {
  const job = objects.find(({ kind }) => kind === 'Job');
  if (job === undefined) throw new Error(`the template ${template} makes no Job`);
  return job as unknown as V1Job;
}
