/** The workflows that `fedbatch k8s render --target` makes: which targets there are, their files, what they refuse. */

import { STAGE_TEMPLATES } from '../k8s/manifests/stages.js';
import { foreignPlaceholders, type Refusals, refuseUnhonoured } from '../k8s/manifests/template-options.js';
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

/** A target: the files that it is given, and what it cannot honour beside what no target can. */
interface Target {
  readonly files: (job: WorkflowJob) => readonly WorkflowFile[];
  /** Whose pods see of the claim what they need alone: trainers, where an index chooses their mounts, or the aggregator. */
  readonly isolates?: 'all' | 'aggregator';
  readonly refusals?: Refusals;
}

const INSTEAD = 'leave it out, or take npx fedbatch k8s run';
const SETTLED = `, whose rounds are settled when it is rendered: ${INSTEAD}`;
const NO_QUORUM = `, which gives the whole job up when a client fails for good: ${INSTEAD} or --target argo`;
const WITHOUT_QUORUM: Refusals = { 'tolerance.quorum': NO_QUORUM, MAX_FAILED_INDEXES: NO_QUORUM };

/** What no target can honour: nobody looks at a model between the rounds, and pods are tried again by the target's rules. */
const OF_ALL: Refusals = {
  'federation.targetAccuracy': SETTLED,
  'federation.targetMetric': SETTLED,
  'federation.patience': SETTLED,
  'tolerance.retries': ', which has rules of its own for retrying pods',
  'tolerance.roundDeadline': ': --set DEADLINE_SECONDS=<seconds> ends a training there',
  CLIENTS: ': --fraction tells how many clients each round selects',
  MAX_FAILED_INDEXES: ': --quorum tells how many updates a round needs',
};

const TARGETS = {
  argo: {
    files: (job) => [{ file: 'workflow.yaml', objects: [argoWorkflow(job)] }],
    isolates: 'aggregator',
  },
  kfp: {
    files: (job) => [{ file: 'pipeline.yaml', objects: kfpPipeline(job) }],
    refusals: {
      ...WITHOUT_QUORUM,
      namespace: ': a run belongs to the namespace that starts it',
      json: ', which is two documents of YAML',
      isolate: ', whose pods mount the whole claim as it is',
      TTL_SECONDS: ', whose backend decides how long pods are kept',
    },
  },
  kubeflow: { files: (job) => numbered(kubeflowObjects(job)), isolates: 'all' },
  jobset: {
    isolates: 'all',
    files: (job) => [{ file: 'jobset.yaml', objects: [jobSet(job)] }],
    refusals: WITHOUT_QUORUM,
  },
} as const satisfies Readonly<Record<string, Target>>;

/** The name of a target. */
export type WorkflowName = keyof typeof TARGETS;

/** The names. */
export const WORKFLOW_NAMES = Object.keys(TARGETS) as readonly WorkflowName[];

/** Whether a target is called so. */
export const isWorkflow = (name: string): name is WorkflowName => Object.hasOwn(TARGETS, name);

/** The files of a target. @throws {UsageError} when the options ask for something that it cannot do */
export function renderWorkflow(target: WorkflowName, options: WorkflowOptions): readonly WorkflowFile[] {
  const { files, refusals, isolates }: Target = TARGETS[target];
  const { PIPELINE_IMAGE: recorder = '', ...foreign } = foreignPlaceholders(STAGE_TEMPLATES);
  const hasRecorder = isolates === 'all' && options.isolates;
  const all = { ...foreign, ...(hasRecorder ? {} : { PIPELINE_IMAGE: recorder }), ...OF_ALL, ...refusals };
  refuseUnhonoured(options.asked, all, `--target ${target}`);
  return files(workflowJob(options));
}

/** Files that kubectl is given one after the other. */
function numbered(objects: readonly object[]): readonly WorkflowFile[] {
  const width = `${objects.length}`.length;
  return objects.map((object, index) => {
    const { kind, metadata } = object as {
      readonly kind: string;
      readonly metadata: { readonly name: string };
    };
    const name = kind === 'TrainingRuntime' ? metadata.name.replace('fedbatch', 'runtime') : metadata.name;
    return { file: `${`${index + 1}`.padStart(width, '0')}-${name}.yaml`, objects: [object] };
  });
}
