/** The settings of each strategy: its parameters, their defaults, and what goes together. */
import { UsageError } from '../errors.js';
import type { AdaptiveSettings } from './adaptive-step.js';
import type { SecondMomentSettings } from './fed-adam.js';
import type { FedAvgMSettings } from './fed-avgm.js';
import type { KrumSettings, MultiKrumSettings } from './krum.js';
import type { TrimmedMeanSettings } from './trimmed-mean.js';

/**
 * Every strategy with the defaults of its parameters. Momentum, β₁, β₂ and τ are those of the papers; the learning
 * rates of the adaptive three depend on the task and want tuning; 0.2 is what Flower trims.
 */
export const STRATEGY_DEFAULTS = {
  fedavg: {},
  fedavgm: { serverLearningRate: 1, serverMomentum: 0.9 },
  fedadagrad: { serverLearningRate: 0.1, beta1: 0, tau: 1e-3 },
  fedadam: { serverLearningRate: 0.01, beta1: 0.9, beta2: 0.99, tau: 1e-3 },
  fedyogi: { serverLearningRate: 0.01, beta1: 0.9, beta2: 0.99, tau: 1e-3 },
  median: {},
  'trimmed-mean': { trim: 0.2 },
  krum: { byzantine: 1 },
  // Without a number to keep, it is n − f − 2 of each round's n updates.
  'multi-krum': { byzantine: 1, keep: undefined },
} as const;

/** Name of a strategy. */
export type StrategyName = keyof typeof STRATEGY_DEFAULTS;

/** All names, in the order in which help shows them. */
export const strategyNames = Object.keys(STRATEGY_DEFAULTS) as readonly StrategyName[];

/** A strategy's own parameters. */
export type StrategyRule =
  | { readonly name: 'fedavg' | 'median' }
  | ({ readonly name: 'fedavgm' } & FedAvgMSettings)
  | ({ readonly name: 'fedadagrad' } & AdaptiveSettings)
  | ({ readonly name: 'fedadam' | 'fedyogi' } & SecondMomentSettings)
  | ({ readonly name: 'trimmed-mean' } & TrimmedMeanSettings)
  | ({ readonly name: 'krum' } & KrumSettings)
  | ({ readonly name: 'multi-krum' } & MultiKrumSettings);

/** Differential privacy at the server: DP-FedAvg's mechanism. */
export interface PrivacySettings {
  /** S, the Euclidean norm that each client's difference is clipped to. */
  readonly clip: number;
  /** z, the noise on the sum of the differences in units of S. */
  readonly noise: number;
  /** δ, at which ε is told. */
  readonly delta: number;
  /** Whether noise comes from the operating system's secure generator, or from the run's seed and can be repeated. */
  readonly noiseSource: 'system' | 'seed';
}

/** A strategy as a run's settings hold it. */
export type StrategySettings = StrategyRule & {
  /** Norm that updates are clipped to before the strategy sees them. */
  readonly clipNorm?: number | undefined;
  readonly privacy?: PrivacySettings | undefined;
};

/** What an absent strategy means. */
export const FEDAVG: StrategySettings = { name: 'fedavg' };

/** Strategies whose server remembers something from round to round. */
const REMEMBERING: readonly StrategyName[] = ['fedavgm', 'fedadagrad', 'fedadam', 'fedyogi'];

/** Whether the server's state is more than the global model. */
export function keepsState({ name }: Pick<StrategySettings, 'name'>): boolean {
  return REMEMBERING.includes(name);
}

/** Strategies that average all updates; only of an average is it known how much one client can move it. */
const AVERAGING: readonly StrategyName[] = ['fedavg', ...REMEMBERING];

/**
 * Refuses what does not go together.
 *
 * @throws {UsageError} in the words of the flags, with the numbers
 */
export function checkStrategy(settings: StrategySettings): void {
  if (settings.name === 'trimmed-mean') checkTrim(settings.trim);
  const { name, privacy, clipNorm } = settings;
  if (privacy === undefined) return;
  if (!AVERAGING.includes(name)) {
    throw new UsageError(
      `--dp-clip does not go with --strategy ${name}: how much one client can move its result has no bound that noise ` +
        `could hide; private are ${AVERAGING.join(', ')}.`,
    );
  }
  if (clipNorm !== undefined) {
    throw new UsageError(
      `--clip-norm ${clipNorm} and --dp-clip ${privacy.clip} both clip the updates: give one of them.`,
    );
  }
}

/** Fewest updates of a round that the strategy can work with. */
export function fewestUpdates(settings: StrategyRule): number {
  switch (settings.name) {
    case 'trimmed-mean':
      return fewestToTrim(settings.trim);
    case 'krum':
      return 2 * settings.byzantine + 3;
    case 'multi-krum':
      return Math.max(2 * settings.byzantine + 3, (settings.keep ?? 0) + settings.byzantine + 2);
    default:
      return 1;
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
  const fewest = fewestUpdates(settings);
  if (selected < fewest) {
    throw new UsageError(
      `--strategy ${settings.name} with ${describeLimit(settings)} needs at least ${fewest} clients in a round, ` +
        `found ${selected}.`,
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

/** How many of `count` updates the trimmed mean leaves out on each side. */
export function trimmedCount(trim: number, count: number): number {
  return trim < 1 ? Math.floor(trim * count) : trim;
}

function checkTrim(trim: number): void {
  if (trim < 0.5 || Number.isInteger(trim)) return;
  throw new UsageError(
    `--trim ${trim} leaves nothing to average: expected a share below 0.5, or a whole number of updates.`,
  );
}

/** Fewest updates of which something is left out and something remains. */
function fewestToTrim(trim: number): number {
  if (trim >= 1) return 2 * trim + 1;
  if (trim === 0) return 1;
  const about = Math.ceil(1 / trim);
  return trimmedCount(trim, about) >= 1 ? about : about + 1;
}

function describeLimit(settings: StrategyRule): string {
  switch (settings.name) {
    case 'trimmed-mean':
      return `--trim ${settings.trim}`;
    case 'krum':
      return `--byzantine ${settings.byzantine} (2f + 3)`;
    case 'multi-krum':
      return settings.keep === undefined
        ? `--byzantine ${settings.byzantine} (2f + 3)`
        : `--byzantine ${settings.byzantine} and --krum-keep ${settings.keep} (2f + 3, m + f + 2)`;
    default:
      return 'its settings';
  }
}
