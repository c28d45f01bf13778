/** Settings of the aggregation: the strategy with its parameters, from the registry; clipping, and privacy. */
import { CLIP_LEARNING_RATE } from '../../federation/privacy/adaptive-clip.js';
import { AUTO } from '../../federation/strategies/clip-norm.js';
import type { StrategyParameter } from '../../federation/strategies/strategy-module.js';
import { type StrategySettings, strategies } from '../../federation/strategies/strategy-settings.js';
import { type Declaration, type Declarations, kebab, placed, type SettingsPart } from '../setting.js';
import { choice, number, whole } from '../value-type.js';

/** The place of the strategy's name, which decides about its parameters. */
export const STRATEGY_NAME = 'strategy.name';

const COMMON = {
  group: 'Strategy',
  stages: ['aggregate', 'simulate'],
  affects: 'results',
  recorded: 'if-known',
} as const;

const PRIVATE = { ...COMMON, group: 'Differential privacy' } as const;

/** The clip, with which differential privacy begins. */
export const CLIP = 'strategy.privacy.clip';

/** The quantile that the clip follows. */
export const QUANTILE = 'strategy.privacy.quantile';

/** How updates become the next global model. */
export const STRATEGY: SettingsPart<{ readonly strategy?: StrategySettings }> = {
  settings: [
    ...placed('strategy.', {
      name: {
        ...COMMON,
        type: choice(strategies.map(({ name }) => name)),
        default: 'fedavg',
        help: 'how updates become the next global model',
        symbol: 'name',
        recorded: 'always',
        reportName: 'strategy',
      },
      ...parameters(),
      clipNorm: {
        ...COMMON,
        type: number({ above: 0, words: [AUTO] }),
        insteadOf: CLIP,
        help: "clip each update to this distance from the global model; auto: the median of the round's updates",
        symbol: 'S',
      },
    }),
    ...placed('strategy.privacy.', {
      clip: {
        ...PRIVATE,
        type: number({ above: 0 }),
        flag: 'dp-clip',
        help: 'clip each update to this distance from the global model, weigh all alike',
        symbol: 'S',
        reportName: 'clip S of privacy',
      },
      noise: {
        ...PRIVATE,
        type: number({ min: 0 }),
        flag: 'dp-noise',
        onlyWith: CLIP,
        help: 'noise on the sum of the updates, in units of --dp-clip',
        symbol: 'z',
        reportName: 'noise z of privacy',
      },
      epsilon: {
        ...PRIVATE,
        type: number({ above: 0 }),
        flag: 'dp-epsilon',
        onlyWith: CLIP,
        insteadOf: 'strategy.privacy.noise',
        help: 'find the noise that keeps all rounds of this run within this epsilon',
        symbol: 'epsilon',
        stages: [],
        recorded: 'never',
      },
      quantile: {
        ...PRIVATE,
        type: number({ above: 0, below: 1 }),
        flag: 'dp-clip-quantile',
        onlyWith: CLIP,
        help: "let --dp-clip follow this quantile of the updates' norms from round to round",
        symbol: 'gamma',
        otherwise: '--dp-clip stays',
        reportName: 'quantile γ of the clip',
      },
      clipLearningRate: {
        ...PRIVATE,
        type: number({ above: 0 }),
        flag: 'dp-clip-learning-rate',
        onlyWith: QUANTILE,
        help: 'learning rate of the adaptive clipping norm (--dp-clip-quantile)',
        symbol: 'eta',
        otherwise: `${CLIP_LEARNING_RATE}`,
      },
      countNoise: {
        ...PRIVATE,
        type: number({ above: 0 }),
        flag: 'dp-clip-count-noise',
        onlyWith: QUANTILE,
        help: 'standard deviation of the noise on the count of updates within the norm (--dp-clip-quantile)',
        symbol: 'sigma',
        otherwise: "a twentieth of a round's clients",
      },
      delta: {
        ...PRIVATE,
        type: number({ above: 0, below: 1 }),
        flag: 'dp-delta',
        onlyWith: CLIP,
        // The field's habit.
        default: 1e-5,
        help: 'the delta for which epsilon is reported',
        symbol: 'delta',
        reportName: 'δ of privacy',
      },
      noiseSource: {
        ...PRIVATE,
        type: choice(['system', 'seed']),
        flag: 'dp-noise-source',
        onlyWith: CLIP,
        default: 'system',
        help: 'noise from a secret key of the run, or from --seed, for repeatable experiments',
        symbol: 'source',
      },
    }),
  ],
};

/** The parameters of all strategies, each once. */
function parameters(): Declarations {
  const names = new Set(strategies.flatMap((strategy) => Object.keys(strategy.parameters)));
  return Object.fromEntries([...names].map((name) => [name, declared(name)]));
}

function declared(name: string): Declaration {
  const owners = strategies.flatMap((strategy) => {
    const parameter = strategy.parameters[name];
    return parameter === undefined ? [] : [[strategy.name, parameter] as const];
  });
  const [[, first]] = owners as [(typeof owners)[number]];
  const { help, symbol, otherwise, isWhole, fullName } = first;
  const defaults = owners.map(([strategy, parameter]) => [strategy, parameter.default] as const);
  return {
    ...COMMON,
    type: (isWhole ? whole : number)(boundsOf(first)),
    help,
    symbol,
    ...(otherwise === undefined ? {} : { otherwise }),
    ...(fullName === undefined ? {} : { flag: kebab(fullName) }),
    defaultsBy: { place: STRATEGY_NAME, defaults: Object.fromEntries(defaults) },
  };
}

function boundsOf({ min, above, below }: StrategyParameter) {
  return {
    ...(min === undefined ? {} : { min }),
    ...(above === undefined ? {} : { above }),
    ...(below === undefined ? {} : { below }),
  };
}
