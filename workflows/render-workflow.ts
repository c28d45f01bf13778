/** The workflows that `fedbatch k8s render --target` makes: which targets there are, their files, what they refuse. */
import { UsageError } from '../lib/core/errors.js';
import { valueAt } from '../lib/settings/setting.js';
import { argoWorkflow } from './argo.js';
import { jobSet } from './jobset.js';
import { kfpPipeline } from './kfp.js';
import { kubeflowObjects } from './kubeflow.js';
import { type WorkflowJob, type WorkflowOptions, workflowJob } from './workflow-job.js';

/** A file, and the objects in it. */
export interface WorkflowFile {
  readonly file: string;
  readonly objects: readonly object[];
}

/** What each target is given. */
const TARGETS = {
  argo: (job) => [{ file: 'workflow.yaml', objects: [argoWorkflow(job)] }],
  kfp: (job) => [{ file: 'pipeline.yaml', objects: kfpPipeline(job) }],
  kubeflow: (job) => numbered(kubeflowObjects(job)),
  jobset: (job) => [{ file: 'jobset.yaml', objects: [jobSet(job)] }],
} as const satisfies Readonly<Record<string, (job: WorkflowJob) => readonly WorkflowFile[]>>;

/** The name of a target. */
export type WorkflowName = keyof typeof TARGETS;

/** The names. */
export const WORKFLOW_NAMES = Object.keys(TARGETS) as readonly WorkflowName[];

/** Whether a target is called so. */
export const isWorkflow = (name: string): name is WorkflowName => Object.hasOwn(TARGETS, name);

/** The files of a target. @throws {UsageError} when the options ask for something that it cannot do */
export function renderWorkflow(target: WorkflowName, options: WorkflowOptions): readonly WorkflowFile[] {
  refuseEarlyEnd(target, options);
  return TARGETS[target](workflowJob(options));
}

/** Nobody looks at the accuracy between the rounds. */
function refuseEarlyEnd(target: WorkflowName, { settings, named }: WorkflowOptions): void {
  const places = ['federation.targetAccuracy', 'federation.patience'];
  const place = places.find((each) => valueAt(settings, each) !== undefined);
  if (place === undefined) return;
  throw new UsageError(
    `${named(place)} does not go with --target ${target}, whose rounds are settled when it is rendered: ` +
      'leave it out, or take npx fedbatch k8s run.',
  );
}

/** Files that kubectl is given one after the other. */
function numbered(objects: readonly object[]): readonly WorkflowFile[] {
  const width = `${objects.length}`.length;
  return objects.map((object, index) => {
    const { kind, metadata } = object as {
      readonly kind: string;
      readonly metadata: { readonly name: string };
    };
    const name = kind === 'Job' || kind === 'TrainJob' ? metadata.name : kind.toLowerCase();
    return { file: `${`${index + 1}`.padStart(width, '0')}-${name}.yaml`, objects: [object] };
  });
}
