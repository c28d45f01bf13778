/** The options of every program that aggregates: the strategy, its parameters, clipping and privacy. */
import { type Command, Option } from 'commander';
import { UsageError } from '../federation/errors.js';
import {
  checkStrategy,
  type PrivacySettings,
  STRATEGY_DEFAULTS,
  type StrategyName,
  type StrategyRule,
  type StrategySettings,
  strategyNames,
} from '../federation/strategies/strategy-settings.js';
import { integerOption, numberOption } from './options.js';

/** What `addStrategyOptions` parses to. */
export interface StrategyFlags {
  readonly strategy: StrategyName;
  readonly serverLearningRate?: number;
  readonly serverMomentum?: number;
  readonly beta1?: number;
  readonly beta2?: number;
  readonly tau?: number;
  readonly trim?: number;
  readonly byzantine?: number;
  readonly krumKeep?: number;
  readonly clipNorm?: number;
  readonly dpClip?: number;
  readonly dpNoise?: number;
  readonly dpDelta?: number;
  readonly dpNoiseSource?: PrivacySettings['noiseSource'];
}

/** The parameters of strategies, and the flags that set them. */
const FLAGS = {
  serverLearningRate: '--server-learning-rate',
  serverMomentum: '--server-momentum',
  beta1: '--beta1',
  beta2: '--beta2',
  tau: '--tau',
  trim: '--trim',
  byzantine: '--byzantine',
  keep: '--krum-keep',
} as const;

type Parameter = keyof typeof FLAGS;
const PARAMETERS = Object.keys(FLAGS) as readonly Parameter[];

/** At which δ the privacy is told where none is asked for: the field's habit. */
const DEFAULT_DELTA = 1e-5;

/** Adds the options. */
export function addStrategyOptions(command: Command): Command {
  const positive = numberOption({ above: 0 });
  const decay = numberOption({ min: 0, below: 1 });
  return command
    .addOption(
      new Option('--strategy <name>', 'how updates become the next global model')
        .choices(strategyNames)
        .default('fedavg'),
    )
    .option(
      `${FLAGS.serverLearningRate} <eta>`,
      `the server's step ${defaults('serverLearningRate')}`,
      positive,
    )
    .option(`${FLAGS.serverMomentum} <share>`, `the server's momentum ${defaults('serverMomentum')}`, decay)
    .option(`${FLAGS.beta1} <share>`, `decay of the first moment ${defaults('beta1')}`, decay)
    .option(`${FLAGS.beta2} <share>`, `decay of the second moment ${defaults('beta2')}`, decay)
    .option(
      `${FLAGS.tau} <t>`,
      `what is added to the root of the second moment ${defaults('tau')}`,
      numberOption({ min: 1e-15 }),
    )
    .option(
      `${FLAGS.trim} <share>`,
      `left out on each side: a share below 0.5, or a number of updates ${defaults('trim')}`,
      numberOption({ min: 0 }),
    )
    .option(
      `${FLAGS.byzantine} <f>`,
      `updates of a round that may be arbitrary ${defaults('byzantine')}`,
      integerOption(),
    )
    .option(
      `${FLAGS.keep} <m>`,
      'updates that multi-krum averages (default: n - f - 2 of n)',
      integerOption({ min: 1 }),
    )
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
        'noise nobody can draw again, or noise from --seed, for experiments that must repeat (default: system)',
      ).choices(['system', 'seed']),
    );
}

/**
 * The strategy that the flags ask for, with the defaults of what they leave open.
 *
 * @throws {UsageError} when an option belongs to another strategy, or options contradict each other
 */
export function strategyOf(flags: StrategyFlags): StrategySettings {
  const { strategy: name, clipNorm } = flags;
  const known: Readonly<Partial<Record<Parameter, number | undefined>>> = STRATEGY_DEFAULTS[name];
  const parameters: Partial<Record<Parameter, number>> = {};
  for (const parameter of PARAMETERS) {
    const given = parameter === 'keep' ? flags.krumKeep : flags[parameter];
    if (given !== undefined && !(parameter in known)) {
      const owners = ownersOf(parameter).join(', ');
      throw new UsageError(`${FLAGS[parameter]} does not belong to --strategy ${name}, but to ${owners}.`);
    }
    const value = given ?? known[parameter];
    if (value !== undefined) parameters[parameter] = value;
  }
  const privacy = privacyOf(flags);
  const settings: StrategySettings = {
    ...({ name, ...parameters } as StrategyRule),
    ...(clipNorm === undefined ? {} : { clipNorm }),
    ...(privacy === undefined ? {} : { privacy }),
  };
  checkStrategy(settings);
  return settings;
}

/** The arguments with which another program is asked for the same strategy; none for FedAvg. */
export function strategyArguments(settings: StrategySettings): readonly string[] {
  const { name, clipNorm, privacy, ...parameters } = settings;
  const own: Readonly<Partial<Record<Parameter, number | undefined>>> = parameters;
  return [
    ...(name === 'fedavg' ? [] : ['--strategy', name]),
    ...PARAMETERS.flatMap((each) => (own[each] === undefined ? [] : [FLAGS[each], `${own[each]}`])),
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

function privacyOf({ dpClip, dpNoise, dpDelta, dpNoiseSource }: StrategyFlags): PrivacySettings | undefined {
  if (dpClip !== undefined && dpNoise !== undefined) {
    const [delta, noiseSource] = [dpDelta ?? DEFAULT_DELTA, dpNoiseSource ?? ('system' as const)];
    return { clip: dpClip, noise: dpNoise, delta, noiseSource };
  }
  const given = Object.entries({
    '--dp-clip': dpClip,
    '--dp-noise': dpNoise,
    '--dp-delta': dpDelta,
    '--dp-noise-source': dpNoiseSource,
  }).flatMap(([flag, value]) => (value === undefined ? [] : [flag]));
  if (given.length === 0) return undefined;
  throw new UsageError(
    `Differential privacy takes --dp-clip and --dp-noise together, found ${given.join(' and ')}.`,
  );
}

const ownersOf = (parameter: Parameter): readonly StrategyName[] =>
  strategyNames.filter((name) => parameter in STRATEGY_DEFAULTS[name]);

/** Whose option it is, and with which default, e.g. `(default: 0.1 with fedadagrad, 0.01 with fedadam, fedyogi)`. */
function defaults(parameter: Parameter): string {
  const byValue = new Map<number, StrategyName[]>();
  for (const name of ownersOf(parameter)) {
    const value = (STRATEGY_DEFAULTS[name] as Readonly<Partial<Record<Parameter, number>>>)[parameter] ?? NaN;
    byValue.set(value, [...(byValue.get(value) ?? []), name]);
  }
  return `(default: ${[...byValue].map(([value, names]) => `${value} with ${names.join(', ')}`).join('; ')})`;
}
