/** `fedbatch k8s render --engine`: which engines there are, the options that only they take, and their files. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import { integerOption, numberOption } from '../lib/cli/options.js';
import { UsageError } from '../lib/core/errors.js';
import { parseQuorum, type Quorum } from '../lib/federation/participation.js';
import { argoWorkflow } from './argo.js';
import { jobSet } from './jobset.js';
import { kfpPipeline } from './kfp.js';
import { kubeflowObjects } from './kubeflow.js';
import { type EngineJob, type EngineJobOptions, engineJob } from './workflow-job.js';

/** A file, and the objects in it. */
export interface EngineFile {
  readonly file: string;
  readonly objects: readonly object[];
}

/** What each engine is given. */
const ENGINES = {
  argo: (job) => [{ file: 'workflow.yaml', objects: [argoWorkflow(job)] }],
  kfp: (job) => [{ file: 'pipeline.yaml', objects: kfpPipeline(job) }],
  kubeflow: (job) => numbered(kubeflowObjects(job)),
  jobset: (job) => [{ file: 'jobset.yaml', objects: [jobSet(job)] }],
} as const satisfies Readonly<Record<string, (job: EngineJob) => readonly EngineFile[]>>;

/** The name of an engine. */
export type WorkflowName = keyof typeof ENGINES;

/** What `addEngineOptions` parses to. */
export interface EngineRenderFlags {
  readonly engine?: WorkflowName;
  readonly rounds?: number;
  readonly fraction?: number;
  readonly minClients?: number;
  readonly quorum?: Quorum;
}

/** Adds the options. */
export function addEngineOptions(command: Command): Command {
  return command
    .addOption(
      new Option('--engine <name>', 'the whole job for another engine (docs/TARGETS.md)').choices(
        Object.keys(ENGINES),
      ),
    )
    .option('--rounds <count>', 'with --engine: rounds (default: 1)', integerOption({ min: 1 }))
    .option(
      '--fraction <share>',
      'with --engine: share of the clients that each round selects (default: 1)',
      numberOption(),
    )
    .option(
      '--min-clients <count>',
      'with --engine: fewest clients of a round (default: 1)',
      integerOption({ min: 1 }),
    )
    .option(
      '--quorum <number>',
      'with --engine: good updates that a round needs: a number, or a share such as 80% (default: all)',
      quorumOption,
    );
}

/** The files of an engine. @throws {UsageError} when the options contradict each other */
export function renderEngine(
  engine: WorkflowName,
  flags: EngineRenderFlags,
  { values, namespace, queue }: Pick<EngineJobOptions, 'values' | 'namespace' | 'queue'>,
): readonly EngineFile[] {
  const { rounds = 1, fraction = 1, minClients = 1, quorum } = flags;
  return ENGINES[engine](engineJob({ values, rounds, fraction, minClients, quorum, namespace, queue }));
}

/** @throws {UsageError} when an option is given that only engines take */
export function refuseWithoutEngine({ rounds, fraction, minClients, quorum }: EngineRenderFlags): void {
  const given = Object.entries({ rounds, fraction, 'min-clients': minClients, quorum }).find(
    ([, value]) => value !== undefined,
  );
  if (given === undefined) return;
  throw new UsageError(
    `--${given[0]} goes with --engine only: the manifests of k8s/ are those of one round.`,
  );
}

/** Files that kubectl is given one after the other. */
function numbered(objects: readonly object[]): readonly EngineFile[] {
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

function quorumOption(text: string): Quorum {
  const quorum = parseQuorum(text);
  if (quorum !== undefined) return quorum;
  throw new InvalidArgumentError(
    `Expected a number of updates from 1 (8) or a share above 0, up to 1 (0.8, 80%), found "${text}".`,
  );
}
