/** A whole job for another engine: the stages of the templates, and what each of its rounds puts into their arguments. */

import type { Values } from '../k8s/manifests/placeholders.js';
import { readStage, type Stage, type StageName } from '../k8s/manifests/stages.js';
import { UsageError } from '../lib/core/errors.js';
import {
  checkParticipation,
  type Quorum,
  requiredUpdates,
  selectClients,
} from '../lib/federation/participation.js';

/** What is asked for. */
export interface EngineJobOptions {
  readonly values: Values;
  readonly rounds: number;
  /** Share of the clients that a round selects. */
  readonly fraction: number;
  readonly minClients: number;
  /** Good updates that a round needs; by default all. */
  readonly quorum?: Quorum | undefined;
  readonly namespace?: string | undefined;
  /** Kueue's local queue. */
  readonly queue?: string | undefined;
}

/** One round: which clients, and the words that stand for it in paths and arguments. */
export interface JobRound {
  /** From 1. */
  readonly round: number;
  /** Of the round below `rounds/` on the volume. */
  readonly directory: string;
  readonly clients: readonly number[];
  readonly minUpdates: number;
  /** Where the global model goes that the round ends with. */
  readonly model: string;
  /** Accuracy below which its test fails; 0 for all rounds but the last. */
  readonly minAccuracy: string;
}

/** The job. */
export interface EngineJob extends Pick<EngineJobOptions, 'namespace' | 'queue'> {
  readonly stages: Readonly<Record<StageName, Stage>>;
  readonly rounds: readonly JobRound[];
  readonly claim: string;
}

/** The texts of a round in arguments: its values, or what an engine puts them in place of. */
export type RoundTexts = Readonly<
  Record<'round' | 'directory' | 'selected' | 'minUpdates' | 'model' | 'minAccuracy', string>
>;

/**
 * The job that the values and flags describe; who takes part in which round is settled here, as `fedbatch run` does it.
 *
 * @throws {UsageError} when a value is missing or wrong, or they contradict each other
 */
export function engineJob(options: EngineJobOptions): EngineJob {
  const { values, fraction, minClients, quorum, namespace, queue } = options;
  const stages = Object.fromEntries(
    (['split', 'init', 'train', 'aggregate', 'evaluate'] as const).map((name) => [
      name,
      readStage(name, values),
    ]),
  ) as Record<StageName, Stage>;
  if (values.CLIENTS !== undefined) {
    throw new UsageError(
      'CLIENTS does not go with --engine: --fraction tells how many clients each round selects.',
    );
  }
  const clients = Number(values.WORKER_NUMBER);
  const seed = Number(values.SEED ?? 0);
  checkParticipation({ clients, fraction, minClients }, quorum);
  const rounds = Array.from({ length: options.rounds }, (_, index) => {
    const round = index + 1;
    const isLast = round === options.rounds;
    const selected = selectClients({ clients, fraction, minClients }, { seed, round });
    return {
      round,
      directory: directoryOf(round),
      clients: selected,
      minUpdates: quorum === undefined ? selected.length : requiredUpdates(quorum, selected.length),
      model: isLast ? '/mnt/aggregated-model.h5' : globalModel(directoryOf(round + 1)),
      minAccuracy: isLast ? (values.MIN_ACCURACY ?? '0') : '0',
    };
  });
  return { stages, rounds, claim: values.CLAIM ?? 'fedbatch', namespace, queue };
}

/** The texts of one round, as they are. */
export function roundTexts({
  round,
  directory,
  clients,
  minUpdates,
  model,
  minAccuracy,
}: JobRound): RoundTexts {
  const selected = clients.join(',');
  return { round: `${round}`, directory, selected, minUpdates: `${minUpdates}`, model, minAccuracy };
}

/** What a stage of a round is called with. */
export function roundArguments(
  { stages }: Pick<EngineJob, 'stages'>,
  stage: 'train' | 'aggregate' | 'evaluate',
  { round, directory, selected, minUpdates, model, minAccuracy }: RoundTexts,
): readonly string[] {
  const args = stages[stage].args.map((text) =>
    text.replace('/mnt/rounds/0001/', `/mnt/rounds/${directory}/`),
  );
  const parent = globalModel(directory);
  const changes = {
    train: [`--init=${parent}`, `--round=${round}`],
    aggregate: [
      `--parent=${parent}`,
      `--round=${round}`,
      `--clients=${selected}`,
      `--min-updates=${minUpdates}`,
      `--out=${model}`,
    ],
    evaluate: [`--model=${model}`, `--min-accuracy=${minAccuracy}`],
  };
  return replaceFlags(args, changes[stage]);
}

/** Program of each stage in its image: engines that look into no image have to be told. */
const PROGRAMS = {
  split: 'splitter/cli.js',
  init: 'trainer/init-cli.js',
  train: 'trainer/cli.js',
  aggregate: 'aggregator/cli.js',
  evaluate: 'evaluator/cli.js',
} as const satisfies Readonly<Record<StageName, string>>;

/** What the container of a stage runs. */
export function commandOf({ name, command }: Stage): readonly string[] {
  return command ?? ['node', `/app/dist/${PROGRAMS[name]}`];
}

const directoryOf = (round: number) => `${round}`.padStart(4, '0');

const globalModel = (directory: string) => `/mnt/rounds/${directory}/global.h5`;

/** Flags take the place of those of the same name; new ones go last. */
function replaceFlags(args: readonly string[], flags: readonly string[]): readonly string[] {
  const nameOf = (flag: string) => flag.slice(0, flag.indexOf('='));
  const names = new Set(flags.map(nameOf));
  return [...args.filter((arg) => !names.has(nameOf(arg))), ...flags];
}

/**
 * For engines that end a job when one of its pods fails for good.
 *
 * @throws {UsageError} when the job would go on without a client
 */
export function requireAllClients({ rounds }: EngineJob, engine: string): void {
  if (rounds.every(({ clients, minUpdates }) => minUpdates === clients.length)) return;
  throw new UsageError(
    `--quorum does not go with --engine ${engine}, which gives the whole job up when a client fails for good: ` +
      'leave it out, or take --engine argo or npx fedbatch k8s run.',
  );
}
