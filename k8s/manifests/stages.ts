/** The stages as Jobs, read from the templates: the one description that runners and other engines start from. */
import type { V1Container, V1Job, V1ResourceRequirements } from '@kubernetes/client-node';
import type { Values } from './placeholders.js';
import { fillTemplate, type TemplateName } from './templates.js';

/** The label by which Kueue knows a Job as its own, and the queue that it waits in. */
export const QUEUE_LABEL = 'kueue.x-k8s.io/queue-name';

/** A stage that runs to its end. */
export type StageName = 'split' | 'init' | 'train' | 'aggregate' | 'evaluate';

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

const TEMPLATE_OF = {
  split: 'splitter',
  init: 'trainer',
  train: 'trainer',
  aggregate: 'aggregator',
  evaluate: 'accuracy-test',
} as const satisfies Readonly<Record<StageName, TemplateName>>;

/** Where the trainer's image keeps the program that writes the initial model. */
const INIT_PROGRAM = ['node', '/app/dist/trainer/init-cli.js'] as const;

/**
 * A stage, filled in.
 *
 * @throws {UsageError} when a value is missing, or not what its placeholder takes
 */
export function readStage(name: StageName, values: Values): Stage {
  const job = jobOf(fillTemplate(TEMPLATE_OF[name], values), TEMPLATE_OF[name]);
  if (name === 'init') makeInit(job, values);
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

/** The client of the seeded initial model is nobody: any shard tells the images' shape. */
function makeInit(job: V1Job, { MODEL = 'cnn', SEED = '0' }: Values): void {
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
  container.command = [...INIT_PROGRAM];
  container.args = [
    '--data=/mnt/data/0.npz',
    '--out=/mnt/rounds/0001/global.h5',
    `--model=${MODEL}`,
    `--seed=${SEED}`,
  ];
  container.env = (container.env ?? []).filter(({ name }) => name !== 'FEDBATCH_CLIENTS');
  delete container.resources?.limits?.['nvidia.com/gpu'];
}

function jobOf(objects: readonly { readonly kind: string }[], template: TemplateName): V1Job {
  const job = objects.find(({ kind }) => kind === 'Job');
  if (job === undefined) throw new Error(`the template ${template} makes no Job`);
  return job as unknown as V1Job;
}
