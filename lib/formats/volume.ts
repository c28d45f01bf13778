/** Where everything lies on the volume: the contract between the stages. */
import { join } from 'node:path';

/** The folder of the runs that are given no other volume, each called after its id. */
export const RUNS = 'runs';

/** The word for the run that was begun last. */
export const LATEST = 'latest';

/** What help says of a word that means a run. */
export const RUN_ARGUMENT = `a run: its volume, its name or id below ${RUNS}/, the beginning of one, or ${LATEST}`;

/** What stands in a path for the number of a client that the index of its Job chooses. */
export const INDEXED_CLIENT = '{client}';

/** A client's number, or what stands for it. */
export type ClientPlace = number | typeof INDEXED_CLIENT;

/** The place of a client among those that a round selects, from 0; or what a cluster puts there. */
export type SelectedPlace = number | string;

/** So many clients, the first, have event files of their own: TensorBoard shows no more side by side. */
export const MOST_LOGGED_CLIENTS = 100;

/** A repeated run has a volume for each seed: a slip of the finger must not take the machine for days. */
export const MAX_SEEDS = 1000;

/** Name of what client k holds out, beside its shard `k.npz`. */
export const clientTestName = (client: ClientPlace): string => `${client}-test.npz`;

/** Lies beside shards while a split is at work, and lists its files: what a killed one leaves is known by it. */
export const SPLIT_MARK = '.split-in-progress';

/** Paths below the root of a run's volume. Rounds are numbered from 1, clients from 0. */
export interface VolumePaths {
  readonly root: string;
  readonly run: string;
  readonly data: string;
  readonly manifest: string;
  readonly splitMark: string;
  readonly test: string;
  /** What single clients see of the volume, by round: beside the shards, since it holds some. */
  readonly places: string;
  readonly aggregatedModel: string;
  readonly bestModel: string;
  readonly accuracy: string;
  readonly metrics: string;
  readonly report: string;
  readonly logs: string;
  /** TensorBoard's event file of the global model, or of a client. */
  eventFile(writer: 'global' | number): string;
  /** Held by the one process that writes the volume. */
  readonly lock: string;
  /** The secret of a private run: nobody but its owner reads it. */
  readonly noiseKey: string;
  /** Directory of the rounds, and of the clients' latest models. */
  readonly rounds: string;
  readonly models: string;
  /** A client's shard. */
  shard(client: ClientPlace): string;
  /** What a client holds out of its examples, where clients do. */
  clientTest(client: ClientPlace): string;
  /** A client's latest model. */
  clientModel(client: number): string;
  /** The files of a round, from 1. */
  round(round: number): RoundPaths;
}

/** Paths of one round. */
export interface RoundPaths {
  readonly root: string;
  readonly globalModel: string;
  /** What a server optimizer remembers when the round starts; of strategies with a memory, from round 2 on. */
  readonly serverState: string;
  readonly updates: string;
  readonly record: string;
  /** A client's update. */
  update(client: ClientPlace): string;
  /** What the clients of the round see of the volume. */
  readonly places: string;
  /** A volume with nothing on it but what the selected client needs that stands at this place. */
  place(selected: SelectedPlace): string;
  /** Where that client leaves its update until it is gathered. */
  ownUpdates(selected: SelectedPlace): string;
}

/** Where a run lies that is repeated with several seeds: what it came to, and the volume of each seed. */
export function repeatedPaths(root: string): { readonly record: string; volume(seed: number): string } {
  return { record: join(root, 'seeds.json'), volume: (seed) => join(root, 'seeds', `${seed}`) };
}

/** The paths of the volume at `root`; touches no file. */
export function volumePaths(root: string): VolumePaths {
  return {
    root,
    run: join(root, 'run.json'),
    data: join(root, 'data'),
    manifest: join(root, 'data', 'manifest.json'),
    splitMark: join(root, 'data', SPLIT_MARK),
    test: join(root, 'data', 'test.npz'),
    places: join(root, 'data', 'places'),
    aggregatedModel: join(root, 'aggregated-model.h5'),
    bestModel: join(root, 'best-model.h5'),
    accuracy: join(root, 'accuracy.json'),
    metrics: join(root, 'metrics.jsonl'),
    report: join(root, 'report.html'),
    logs: join(root, 'logs'),
    eventFile: (writer) =>
      join(root, 'logs', writer === 'global' ? writer : `client-${writer}`, 'events.out.tfevents.fedbatch'),
    lock: join(root, '.lock'),
    noiseKey: join(root, 'noise-key.json'),
    rounds: join(root, 'rounds'),
    models: join(root, 'model'),
    shard: (client) => join(root, 'data', `${client}.npz`),
    clientTest: (client) => join(root, 'data', clientTestName(client)),
    clientModel: (client) => join(root, 'model', `${client}-model.h5`),
    round: (round) => roundPaths(root, String(round).padStart(4, '0')),
  };
}

/** Whether a file in `updates/` has the name of a client's update. */
export const isUpdateName = (name: string): boolean => /^\d+\.h5$/.test(name);

/** The rounds that a directory of rounds has, by the names in it, in their order. */
export const roundsAmong = (names: readonly string[]): readonly number[] =>
  names
    .filter((name) => /^\d{4,}$/.test(name))
    .map(Number)
    .sort((a, b) => a - b);

function roundPaths(volume: string, round: string): RoundPaths {
  const root = join(volume, 'rounds', round);
  const places = join(volume, 'data', 'places', round);
  return {
    root,
    places,
    globalModel: join(root, 'global.h5'),
    serverState: join(root, 'server-state.h5'),
    updates: join(root, 'updates'),
    record: join(root, 'round.json'),
    update: (client) => join(root, 'updates', `${client}.h5`),
    place: (selected) => join(places, `${selected}`),
    ownUpdates: (selected) => join(root, 'updates', `${selected}`),
  };
}
