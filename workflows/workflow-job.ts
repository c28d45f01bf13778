/** A whole job for a workflow that others run: the stages of the templates, and the commands of each of its rounds. */
import type { Values } from '../k8s/manifests/placeholders.js';
import { containerOf, type Stage, type StageName, stageOf } from '../k8s/manifests/stages.js';
import type { AskedOptions } from '../k8s/manifests/template-options.js';
import { selectClients } from '../lib/federation/participation.js';
import { type Quorum, requiredUpdates } from '../lib/federation/quorum.js';
import { volumePaths } from '../lib/formats/volume.js';
import type { RunSettings } from '../lib/settings/table.js';
import {
  aggregateCommand,
  evaluateCommand,
  initCommand,
  remembers,
  type StageCommand,
  splitCommand,
  trainCommand,
} from '../pipeline/commands/stage-commands.js';

/** What is asked for. */
export interface WorkflowOptions {
  readonly settings: RunSettings;
  /** Of the templates: images, limits, the claim; and the accuracy below which the last test fails. */
  readonly values: Values;
  /** Of each trainer. */
  readonly threads: number;
  /** What was asked for by name, for what a target cannot honour. */
  readonly asked: AskedOptions;
  /** Good updates that a round needs; by default all. */
  readonly quorum?: Quorum | undefined;
  readonly namespace?: string | undefined;
  /** Kueue's local queue. */
  readonly queue?: string | undefined;
  /** Whether a pod sees of the claim what it needs, and nothing else, where the target can have it so. */
  readonly isolates: boolean;
}

/** Stages that each round has. */
export const ROUND_STAGES = ['train', 'aggregate', 'evaluate'] as const;

/** The name of a round's stage. */
export type RoundStage = (typeof ROUND_STAGES)[number];

/** One round. */
export interface JobRound {
  readonly round: number;
  /** Its number as names hold it, e.g. `0001`. */
  readonly name: string;
  readonly clients: readonly number[];
  readonly minUpdates: number;
  /** The trainer's paths hold `{client}`. */
  readonly commands: Readonly<Record<RoundStage, StageCommand>>;
}

/** The pod of a stage, and what it starts. */
export interface WorkflowStage extends Stage {
  readonly program: string;
}

/** The stages of a job. */
type JobStage = Exclude<StageName, 'each'>;

/** The job. */
export interface WorkflowJob extends Pick<WorkflowOptions, 'namespace' | 'queue' | 'isolates' | 'values'> {
  /** The pods of the stages; those of a round hold the arguments of the first one. */
  readonly stages: Readonly<Record<JobStage, WorkflowStage>>;
  readonly rounds: readonly JobRound[];
  readonly claim: string;
  /** Whether clients go on from what they and the server kept. */
  readonly remembers: boolean;
}

/** Where pods see the volume. */
export const PATHS = volumePaths('/mnt');

/**
 * The job that the settings describe; who takes part in which round is settled here, as `fedbatch run` does it.
 *
 * @throws {UsageError} when a value is missing or wrong
 */
export function workflowJob(options: WorkflowOptions): WorkflowJob {
  const { settings, values, threads, namespace, queue, isolates } = options;
  const source = { settings, threads, paths: PATHS };
  const rounds = Array.from({ length: settings.federation.rounds }, (_, index) =>
    jobRound(options, index + 1),
  );
  const [first] = rounds;
  if (first === undefined) throw new Error('a job has at least one round');
  const commands = { split: splitCommand(source), init: initCommand(source), ...first.commands };
  const stages = Object.fromEntries(
    Object.values(commands).map((command) => [
      command.stage,
      { ...stageOf(command, values), program: command.program },
    ]),
  ) as Record<JobStage, WorkflowStage>;
  const claim = values.CLAIM ?? 'fedbatch';
  return { stages, rounds, claim, values, remembers: remembers(settings), isolates, namespace, queue };
}

function jobRound({ settings, values, threads, quorum }: WorkflowOptions, round: number): JobRound {
  const { federation, seed } = settings;
  const source = { settings, threads, paths: PATHS };
  const clients = selectClients(federation, { seed, round });
  const minUpdates = quorum === undefined ? clients.length : requiredUpdates(quorum, clients.length);
  const isLast = round === federation.rounds;
  // Nobody puts the last model in its place afterwards.
  const model = isLast ? PATHS.aggregatedModel : PATHS.round(round + 1).globalModel;
  const { MIN_ACCURACY: minAccuracy } = values;
  return {
    round,
    name: `${round}`.padStart(4, '0'),
    clients,
    minUpdates,
    commands: {
      train: trainCommand(source, { round, clients }),
      aggregate: aggregateCommand(source, { round, clients }, { minUpdates, out: model }),
      evaluate: evaluateCommand(source, {
        models: [model],
        round,
        ...(minAccuracy === undefined ? {} : { minAccuracy: isLast ? minAccuracy : '0' }),
      }),
    },
  };
}

/** Whether a round may go on without a client. */
export const isPartial = ({ rounds }: WorkflowJob): boolean =>
  rounds.some(({ clients, minUpdates }) => minUpdates < clients.length);

/** The container of a stage without what only a Job tells it: its clients by index. */
export function plainEnvironment({
  job,
}: Stage): readonly { readonly name: string; readonly value?: string }[] {
  return (containerOf(job).env ?? []).filter(({ name }) => name !== 'FEDBATCH_CLIENTS');
}
