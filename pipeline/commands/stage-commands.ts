/** Each stage's command: a pure function of a run's settings, its volume, the round and the client. All targets run these. */
import { learningRateOf } from '../../lib/federation/learning-rate.js';
import { clientSide, FEDAVG, keepsState } from '../../lib/federation/strategies/strategy-settings.js';
import { INDEXED_CLIENT, type VolumePaths } from '../../lib/formats/volume.js';
import { modelFile } from '../../lib/settings/parts/data.js';
import { type RunSettings, settingArguments } from '../../lib/settings/table.js';

/** What the commands of a run are made from. */
export interface CommandSource {
  readonly settings: RunSettings;
  /** Where the stages see the run's volume. */
  readonly paths: VolumePaths;
}

/** One call of a stage's program. */
export interface StageCommand {
  readonly stage: 'split' | 'init' | 'train' | 'aggregate' | 'evaluate' | 'each';
  readonly round?: number;
  /** Of the run, at most. */
  readonly rounds?: number;
  readonly client?: number;
  /** The program below the compiled project, e.g. `trainer/cli.js`. */
  readonly program: string;
  readonly arguments: readonly string[];
  /** Files that have to be there, and files that are there afterwards. */
  readonly reads: readonly string[];
  readonly writes: readonly string[];
}

/** A round's number, and the clients that it selects. */
interface RoundSelection {
  readonly round: number;
  readonly clients: readonly number[];
  /** The global model that it starts from, where that is known: a stage refuses another one. */
  readonly global?: { readonly sha256: string } | undefined;
}

/** The option that tells a stage what its global model has to be. */
const globalArgument = (flag: string, global: RoundSelection['global']): readonly string[] =>
  global === undefined ? [] : [flag, global.sha256];

/** Deals the dataset to the clients. */
export function splitCommand({ settings, paths }: CommandSource): StageCommand {
  return {
    stage: 'split',
    program: 'splitter/cli.js',
    arguments: [
      ...['--out', paths.data],
      ...settingArguments('split', settings, { 'dataset.normalize': normalizeAsked(settings) }),
    ],
    reads: [],
    writes: [paths.manifest, paths.test],
  };
}

/** What a split is asked for: exact sums over the clients are outside of what a private run promises. */
export const normalizeAsked = ({ dataset, strategy }: RunSettings): 'on' | 'off' | undefined =>
  dataset.normalize ?? (strategy?.privacy === undefined ? undefined : 'off');

/** Makes the initial model: the one that the run is given, or a seeded one. */
export function initCommand({ settings, paths }: CommandSource): StageCommand {
  const out = paths.round(1).globalModel;
  const { seed, model } = settings;
  const file = modelFile(model);
  // A new model's file says by what it is trained where a loss is asked for.
  const isCompiled = file !== undefined || settings.training.loss !== undefined;
  return {
    stage: 'init',
    program: 'trainer/init-cli.js',
    arguments: [
      // It tells the shape of the inputs, and there is one whatever the shards; the manifest tells the classes.
      ...['--data', paths.test],
      ...['--out', out],
      ...settingArguments('init', isCompiled ? settings : { seed, model }),
    ],
    reads: [paths.test, paths.manifest, ...(file === undefined ? [] : [file])],
    writes: [out],
  };
}

/**
 * Trains one client of a round.
 *
 * @param client its number; without one the paths hold `{client}`, which the trainer fills in by the index of its Job
 */
export function trainCommand(
  { settings, paths, threads }: CommandSource & { readonly threads: number },
  { round, clients, global }: RoundSelection,
  client?: number,
): StageCommand {
  const files = paths.round(round);
  const data = paths.shard(client ?? INDEXED_CLIENT);
  const update = files.update(client ?? INDEXED_CLIENT);
  return {
    stage: 'train',
    round,
    rounds: settings.federation.rounds,
    ...(client === undefined ? {} : { client }),
    program: 'trainer/cli.js',
    arguments: [
      ...['--data', data],
      ...['--init', files.globalModel],
      ...globalArgument('--init-sha256', global),
      ...['--out', update],
      ...settingArguments('train', settings, {
        'training.learningRate': roundLearningRate(settings, { round, clients }),
      }),
      ...clientArguments({ settings, paths }),
      // Of a client that has nothing to hold out there is no such file, and no test.
      ...(holdsOut(settings) ? ['--client-test', paths.clientTest(client ?? INDEXED_CLIENT)] : []),
      ...['--round', `${round}`],
      ...['--threads', `${threads}`],
      ...(client === undefined ? [] : ['--client', `${client}`]),
    ],
    reads: [data, files.globalModel, ...(remembers(settings) && round > 1 ? [files.serverState] : [])],
    writes: [update],
  };
}

/** Whether clients hold examples out, on which models are tested client by client. */
const holdsOut = ({ federation }: RunSettings) => federation.clientHoldout !== undefined;

/** What a trainer is told of the strategy; nothing where it asks for training alone. */
function clientArguments({ settings, paths }: CommandSource): readonly string[] {
  const { strategy = FEDAVG } = settings;
  const side = clientSide(strategy.name);
  if (side === undefined) return [];
  return ['--strategy', strategy.name, ...(remembers(settings) ? ['--volume', paths.root] : [])];
}

/** Whether clients go on from what they and the server kept. */
export const remembers = ({ strategy = FEDAVG }: RunSettings) =>
  clientSide(strategy.name)?.keeps !== undefined;

/** What an aggregation is told beside the run and the round. */
interface AggregateFiles {
  /** Fewest valid updates. */
  readonly minUpdates: number;
  /** The file that lists what the clients reported; without it all selected clients count that left an update. */
  readonly record?: string | undefined;
  /** Where the new global model goes; by default to where the next round starts from. */
  readonly out?: string | undefined;
}

/** Makes a round's updates the next global model. */
export function aggregateCommand(
  source: CommandSource,
  { round, clients, global }: RoundSelection,
  { minUpdates, record, out = source.paths.round(round + 1).globalModel }: AggregateFiles,
): StageCommand {
  const { settings, paths } = source;
  const { updates, globalModel } = paths.round(round);
  const state = stateFiles(source, round);
  return {
    stage: 'aggregate',
    round,
    program: 'aggregator/cli.js',
    arguments: [
      ...['--dir', updates],
      ...(record === undefined ? ['--clients', clients.join(',')] : ['--reported', record]),
      ...['--manifest', paths.manifest],
      ...['--out', out],
      ...['--parent', globalModel],
      ...globalArgument('--parent-sha256', global),
      ...['--round', `${round}`],
      ...['--min-updates', `${minUpdates}`],
      ...settingArguments('aggregate', settings),
      ...(state?.in === undefined ? [] : ['--state-in', state.in]),
      ...(state === undefined ? [] : ['--state-out', state.out]),
      ...privacyArguments(source, clients.length),
    ],
    reads: [
      ...clients.map((client) => paths.round(round).update(client)),
      ...[globalModel, paths.manifest],
      ...(record === undefined ? [] : [record]),
      ...(state?.in === undefined ? [] : [state.in]),
    ],
    writes: [out, ...(state === undefined ? [] : [state.out])],
  };
}

/** Where a server optimizer's state lies; undefined for strategies without one. */
export function stateFiles(
  { paths, settings }: CommandSource,
  round: number,
): { readonly in?: string; readonly out: string } | undefined {
  if (!keepsState(settings.strategy ?? FEDAVG)) return undefined;
  const out = paths.round(round + 1).serverState;
  return round === 1 ? { out } : { in: paths.round(round).serverState, out };
}

/** What a private aggregation is told of the run. */
function privacyArguments(source: CommandSource, selected: number): readonly string[] {
  const { strategy, seed, federation } = source.settings;
  if (strategy?.privacy === undefined) return [];
  return [
    ...['--dp-participants', `${selected}`],
    ...['--dp-population', `${federation.clients}`],
    ...noiseArguments(source),
    ...['--seed', `${seed}`],
  ];
}

/** Where the key of a private run's noise lies. */
function noiseArguments({ paths, settings: { strategy } }: CommandSource): readonly string[] {
  return strategy?.privacy?.noiseSource === 'system' ? ['--dp-noise-file', paths.noiseKey] : [];
}

/** Models to test, and how. */
interface TestFiles {
  readonly models: readonly string[];
  /** Where the result goes; by default to the run's own accuracy.json. */
  readonly out?: string;
  readonly round?: number;
  /** Of the test; by default as many as the machine or container has cores. */
  readonly threads?: number;
  /** Accuracy below which the test fails. */
  readonly minAccuracy?: string;
  /** Whether the models are clients' own, which their trainers have tested on what they hold out. */
  readonly ofClients?: boolean;
}

/** Tests models on the held-out examples. */
export function evaluateCommand(
  { settings, paths }: CommandSource,
  { models, out = paths.accuracy, round, threads, minAccuracy, ofClients = false }: TestFiles,
): StageCommand {
  return {
    stage: 'evaluate',
    ...(round === undefined ? {} : { round }),
    program: 'evaluator/cli.js',
    arguments: [
      ...['--model', ...models],
      ...['--data', paths.test],
      ...['--out', out],
      ...(holdsOut(settings) && !ofClients ? ['--per-client'] : []),
      ...(threads === undefined ? [] : ['--threads', `${threads}`]),
      ...(minAccuracy === undefined ? [] : ['--min-accuracy', minAccuracy]),
      ...settingArguments('evaluate', settings),
    ],
    reads: [...models, paths.test],
    writes: [out],
  };
}

/** Starts the simulator, which trains clients as data: its rounds are requests on its stdin. */
export function simulateCommand(source: CommandSource & { readonly threads: number; readonly jobs: number }) {
  const { settings, paths, threads, jobs } = source;
  return {
    stage: 'simulate' as const,
    rounds: settings.federation.rounds,
    program: 'simulator/cli.js',
    arguments: [
      ...['--data', paths.data],
      ...settingArguments('simulate', settings),
      ...noiseArguments(source),
      ...(remembers(settings) ? ['--volume', paths.root] : []),
      ...['--jobs', `${jobs}`],
      ...['--threads', `${threads}`],
    ],
  };
}

/** What the pod at a place takes of a round's clients, or of their commands, where a pod takes several in turn. */
export const ofPod = <T>(all: readonly T[], place: number, clientsPerPod: number): readonly T[] =>
  all.slice(place * clientsPerPod, (place + 1) * clientsPerPod);

/** The same arguments with each flag and its value in one word, as manifests hold them. */
export function joinedArguments(words: readonly string[]): readonly string[] {
  const joined: string[] = [];
  for (const word of words) {
    const flag = joined.at(-1);
    if (word.startsWith('--') || flag === undefined || flag.includes('=')) joined.push(word);
    else joined[joined.length - 1] = `${flag}=${word}`;
  }
  return joined;
}

/** The learning rate of a round, by the run's schedule; undefined where it is that of a compiled model. */
export function roundLearningRate(
  { training, federation }: RunSettings,
  { round, clients }: { readonly round: number; readonly clients: readonly number[] },
): number | undefined {
  const { learningRate, learningRateDecay = 1, warmUpRounds = 0, scaleLearningRate = false } = training;
  if (learningRate === undefined) return undefined;
  return learningRateOf(
    { base: learningRate, decay: learningRateDecay, warmUpRounds, scaleWithClients: scaleLearningRate },
    { round, rounds: federation.rounds, clients: clients.length },
  );
}
