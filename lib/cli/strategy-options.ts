/** The options of every program that aggregates: the strategy, its parameters, clipping and privacy. */
import { type Command, Option } from 'commander';
import { UsageError } from '../core/errors.js';
import type { LocalTraining } from '../federation/client-side.js';
import { noiseFor, type PrivacyOptions } from '../federation/privacy/accountant.js';
import type { StrategyParameter } from '../federation/strategies/strategy-module.js';
import {
  clientSide,
  fewestUpdates,
  type PrivacySettings,
  type StrategyModule,
  type StrategyName,
  type StrategyRule,
  type StrategySettings,
  strategies,
  strategyModule,
  valuesOf,
} from '../federation/strategies/strategy-settings.js';
import { integerOption, numberOption } from './options.js';

/** What `addStrategyOptions` parses to, beside the parameters of strategies by their full names. */
export interface StrategyFlags {
  readonly strategy: StrategyName;
  readonly clipNorm?: number;
  readonly dpClip?: number;
  readonly dpNoise?: number;
  readonly dpEpsilon?: number;
  readonly dpDelta?: number;
  readonly dpNoiseSource?: PrivacySettings['noiseSource'];
}

/** A parameter, the name that it has among flags, and the strategies that have it. */
interface OwnedParameter {
  readonly name: string;
  readonly fullName: string;
  readonly owners: readonly StrategyModule[];
}

/** The parameters of all strategies, each once. */
const PARAMETERS: readonly OwnedParameter[] = [
  ...new Set(strategies.flatMap(({ parameters }) => Object.keys(parameters))),
].map((name) => {
  const owners = strategies.filter(({ parameters }) => Object.hasOwn(parameters, name));
  return { name, fullName: owners[0]?.parameters[name]?.fullName ?? name, owners };
});

/** `serverLearningRate` → `--server-learning-rate`. */
const flagOf = (name: string) => `--${name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;

/** How users know the settings of strategies: the flag of each, by its place in a run's settings. */
export const STRATEGY_LABELS: Readonly<Record<string, string>> = Object.fromEntries([
  ['strategy.name', '--strategy'],
  ...PARAMETERS.map(({ name, fullName }) => [`strategy.${name}`, flagOf(fullName)]),
  ['strategy.clipNorm', '--clip-norm'],
  ['strategy.privacy.clip', '--dp-clip'],
  ['strategy.privacy.noise', '--dp-noise'],
  ['strategy.privacy.delta', '--dp-delta'],
  ['strategy.privacy.noiseSource', '--dp-noise-source'],
]);

/** The rounds of a whole run, which the noise for an ε depends on. */
type RunOfRounds = Pick<PrivacyOptions, 'participants' | 'population' | 'rounds'>;

/** At which δ the privacy is told where none is asked for: the field's habit. */
const DEFAULT_DELTA = 1e-5;

/** Adds the options. */
export function addStrategyOptions(command: Command): Command {
  const positive = numberOption({ above: 0 });
  command.addOption(
    new Option('--strategy <name>', 'how updates become the next global model')
      .choices(strategies.map(({ name }) => name))
      .default('fedavg'),
  );
  for (const { name, fullName, owners } of PARAMETERS) {
    const declared = owners[0]?.parameters[name] as StrategyParameter;
    command.option(
      `${flagOf(fullName)} <${declared.symbol}>`,
      `${declared.help} (default: ${defaultsOf({ name, owners })})`,
      declared.isWhole ? integerOption(declared) : numberOption(declared),
    );
  }
  return command
    .option('--clip-norm <S>', 'clip each update to this distance from the global model', positive)
    .option(
      '--dp-clip <S>',
      'differential privacy: clip each update to this distance, weigh all alike',
      positive,
    )
    .option(
      '--dp-noise <z>',
      'noise on the sum of the updates, in units of --dp-clip',
      numberOption({ min: 0 }),
    )
    .option(
      '--dp-delta <delta>',
      `the delta at which epsilon is told (default: ${DEFAULT_DELTA})`,
      numberOption({ above: 0, below: 1 }),
    )
    .addOption(
      new Option(
        '--dp-noise-source <source>',
        'noise from a secret key of the run, or noise from --seed, for experiments that must repeat (default: system)',
      ).choices(['system', 'seed']),
    );
}

/** `--strategy` of programs that train clients: what it asks of them beside training. */
export function clientStrategyOption(): Option {
  const names = strategies.flatMap(({ name }) => (clientSide(name) === undefined ? [] : [name]));
  return new Option(
    '--strategy <name>',
    `the strategy of the round, where it asks more of clients than training: ${names.join(', ')}`,
  ).choices(strategies.map(({ name }) => name));
}

/**
 * Refuses clients' training that the strategy does not go with.
 *
 * @throws {UsageError} in the words of the flags, with the values
 */
export function checkTraining(name: StrategyName, training: LocalTraining): void {
  const problem = clientSide(name)?.problem(training);
  if (problem === undefined) return;
  const [setting, why] = problem;
  const { optimizer, proximal } = training;
  const value = { optimizer: optimizer.kind, momentum: optimizer.momentum, proximal }[setting];
  throw new UsageError(`--strategy ${name} does not go with --${setting} ${value}: ${why}.`);
}

/** Adds `--dp-epsilon`, for programs that know all rounds of a run. */
export function addEpsilonOption(command: Command): Command {
  return command.option(
    '--dp-epsilon <epsilon>',
    'in place of --dp-noise: the noise that keeps all rounds of this run within this epsilon',
    numberOption({ above: 0 }),
  );
}

/**
 * The strategy that the flags ask for, with the defaults of what they leave open.
 *
 * @param rounds what `--dp-epsilon` is turned into noise for
 * @throws {UsageError} when an option belongs to another strategy, or options contradict each other
 */
export function strategyOf(flags: StrategyFlags, rounds?: RunOfRounds): StrategySettings {
  const { strategy: name, clipNorm } = flags;
  const { parameters } = strategyModule(name);
  const given = flags as unknown as Readonly<Record<string, number | undefined>>;
  for (const { name: parameter, fullName, owners } of PARAMETERS) {
    if (given[fullName] === undefined || Object.hasOwn(parameters, parameter)) continue;
    const names = owners.map((owner) => owner.name).join(', ');
    throw new UsageError(`${flagOf(fullName)} does not belong to --strategy ${name}, but to ${names}.`);
  }
  const values = Object.entries(parameters).flatMap(([parameter, declared]) => {
    const value = given[declared.fullName ?? parameter] ?? declared.default;
    return value === undefined ? [] : [[parameter, value] as const];
  });
  const privacy = privacyOf(flags, rounds);
  const settings: StrategySettings = {
    ...({ name, ...Object.fromEntries(values) } as StrategyRule),
    ...(clipNorm === undefined ? {} : { clipNorm }),
    ...(privacy === undefined ? {} : { privacy }),
  };
  checkStrategy(settings);
  return settings;
}

/** The arguments with which another program is asked for the same strategy; none for FedAvg. */
export function strategyArguments(settings: StrategySettings): readonly string[] {
  const { name, clipNorm, privacy } = settings;
  return [
    ...(name === 'fedavg' ? [] : ['--strategy', name]),
    ...givenParameters(settings).flatMap(([flag, value]) => [flag, `${value}`]),
    ...(clipNorm === undefined ? [] : ['--clip-norm', `${clipNorm}`]),
    ...(privacy === undefined
      ? []
      : [
          ...['--dp-clip', `${privacy.clip}`],
          ...['--dp-noise', `${privacy.noise}`],
          ...['--dp-delta', `${privacy.delta}`],
          ...['--dp-noise-source', privacy.noiseSource],
        ]),
  ];
}

function privacyOf(flags: StrategyFlags, rounds: RunOfRounds | undefined): PrivacySettings | undefined {
  const { dpClip, dpNoise, dpEpsilon, dpNoiseSource } = flags;
  const delta = flags.dpDelta ?? DEFAULT_DELTA;
  if (dpNoise !== undefined && dpEpsilon !== undefined) {
    throw new UsageError(
      `--dp-noise ${dpNoise} and --dp-epsilon ${dpEpsilon} both say how much noise there is: give one of them.`,
    );
  }
  if (dpClip !== undefined) {
    const noise = dpEpsilon === undefined ? dpNoise : noiseWithin(dpEpsilon, delta, rounds);
    if (noise !== undefined) return { clip: dpClip, noise, delta, noiseSource: dpNoiseSource ?? 'system' };
  }
  const given = Object.entries({
    '--dp-clip': dpClip,
    '--dp-noise': dpNoise,
    '--dp-epsilon': dpEpsilon,
    '--dp-delta': flags.dpDelta,
    '--dp-noise-source': dpNoiseSource,
  }).flatMap(([flag, value]) => (value === undefined ? [] : [flag]));
  if (given.length === 0) return undefined;
  const noise = rounds === undefined ? '--dp-noise' : '--dp-noise (or --dp-epsilon)';
  throw new UsageError(
    `Differential privacy takes --dp-clip and ${noise} together, found ${given.join(' and ')}.`,
  );
}

/** The noise that keeps the rounds within ε. @throws {UsageError} where no noise does */
function noiseWithin(epsilon: number, delta: number, rounds: RunOfRounds | undefined): number {
  if (rounds === undefined) throw new Error('--dp-epsilon needs to know the rounds of the run');
  const noise = noiseFor({ ...rounds, epsilon, delta });
  if (noise !== undefined) return noise;
  throw new UsageError(
    `No noise keeps ${rounds.rounds} rounds within --dp-epsilon ${epsilon} at --dp-delta ${delta}: ask for a larger ` +
      'epsilon or delta.',
  );
}

/** Flags and values of the parameters that a strategy is set up with. */
function givenParameters(settings: StrategyRule): readonly (readonly [flag: string, value: number])[] {
  const values = valuesOf(settings);
  return Object.entries(strategyModule(settings.name).parameters).flatMap(([name, { fullName = name }]) =>
    values[name] === undefined ? [] : [[flagOf(fullName), values[name]] as const],
  );
}

/** Which value a parameter has with which strategy, e.g. `0.1 with fedadagrad, 0.01 with fedadam, fedyogi`. */
function defaultsOf({ name, owners }: Pick<OwnedParameter, 'name' | 'owners'>): string {
  const byValue = new Map<string, string[]>();
  for (const { name: owner, parameters } of owners) {
    const { default: value, otherwise } = parameters[name] as StrategyParameter;
    const text = otherwise ?? `${value} with`;
    byValue.set(text, [...(byValue.get(text) ?? []), ...(otherwise === undefined ? [owner] : [])]);
  }
  return [...byValue].map(([text, names]) => [text, names.join(', ')].join(' ').trimEnd()).join('; ');
}

/**
 * Refuses what does not go together.
 *
 * @throws {UsageError} in the words of the flags, with the numbers
 */
export function checkStrategy(settings: StrategySettings): void {
  const { name, privacy, clipNorm } = settings;
  const module = strategyModule(name);
  const values = valuesOf(settings);
  const problem = module.problem?.(values);
  if (problem !== undefined) {
    const [parameter, why] = problem;
    throw new UsageError(`${STRATEGY_LABELS[`strategy.${parameter}`]} ${values[parameter]} ${why}.`);
  }
  const bound = privacy !== undefined ? '--dp-clip' : clipNorm !== undefined ? '--clip-norm' : undefined;
  if (bound !== undefined && clientSide(name) !== undefined) {
    const extras = Object.keys(clientSide(name)?.extras ?? {}).join(', ');
    throw new UsageError(
      `${bound} does not go with --strategy ${name}: its updates carry ${extras} beside weights, which nothing clips.`,
    );
  }
  if (privacy === undefined) return;
  if (module.kind !== 'averaging') {
    const averaging = strategies
      .filter((each) => each.kind === 'averaging' && each.client === undefined)
      .map((each) => each.name);
    throw new UsageError(
      `--dp-clip does not go with --strategy ${name}: how much one client can move its result has no bound that noise ` +
        `could hide; private are ${averaging.join(', ')}.`,
    );
  }
  if (clipNorm !== undefined) {
    throw new UsageError(
      `--clip-norm ${clipNorm} and --dp-clip ${privacy.clip} both clip the updates: give one of them.`,
    );
  }
}

/**
 * Refuses a strategy that the clients of a round are too few for, before anything runs.
 *
 * @throws {UsageError} with the numbers
 */
export function checkClients(
  settings: StrategySettings,
  { selected, clients }: { readonly selected: number; readonly clients: number },
): void {
  const { updates, formula } = fewestUpdates(settings);
  if (selected < updates) {
    const given = givenParameters(settings).map((each) => each.join(' '));
    throw new UsageError(
      `--strategy ${settings.name} with ${given.join(' and ')}${formula === undefined ? '' : ` (${formula})`} needs at ` +
        `least ${updates} clients in a round, found ${selected}.`,
    );
  }
  const { privacy } = settings;
  if (privacy !== undefined && privacy.delta * clients >= 1) {
    throw new UsageError(
      `--dp-delta ${privacy.delta} of ${clients} clients promises nothing: it lets one of them be told outright; ` +
        `expected less than ${1 / clients}.`,
    );
  }
}
