/** The registry of strategies, and a strategy's settings as a run holds them: all of it follows from the modules. */
import type { ClientSide } from '../client-side.js';
import { type AdaptiveClip, CLIP_LEARNING_RATE } from '../privacy/adaptive-clip.js';
import type { ClipNorm } from './clip-norm.js';
import { coordinateMedian, trimmedMean } from './coordinate-wise.js';
import { fedAvg } from './fed-avg.js';
import { fedAvgM } from './fed-avgm.js';
import { fedNova } from './fed-nova.js';
import { fedAdagrad, fedAdam, fedYogi } from './fed-opt.js';
import { krum, multiKrum } from './krum.js';
import { scaffold } from './scaffold.js';
import type { AveragingModule, ComparingModule, FewestUpdates, ValuesOf } from './strategy-module.js';

/** Every strategy, in the order in which help shows them. */
const STRATEGIES = [
  fedAvg,
  fedAvgM,
  fedAdagrad,
  fedAdam,
  fedYogi,
  fedNova,
  scaffold,
  coordinateMedian,
  trimmedMean,
  krum,
  multiKrum,
] as const;

type Registered = (typeof STRATEGIES)[number];

/** Name of a strategy. */
export type StrategyName = Registered['name'];

/** A strategy's name and the values of its parameters. */
export type StrategyRule = Registered extends infer M
  ? M extends Registered
    ? { readonly name: M['name'] } & ValuesOf<M['parameters']>
    : never
  : never;

/** A strategy of the registry, whichever it is. */
export type StrategyModule = (AveragingModule | ComparingModule) & { readonly name: StrategyName };

/** Every strategy, in the order in which help shows them. */
export const strategies = STRATEGIES as unknown as readonly StrategyModule[];

/** The strategy with this name. */
export function strategyModule(name: StrategyName): StrategyModule {
  const found = strategies.find((each) => each.name === name);
  if (found === undefined) throw new Error(`${name} is no strategy`);
  return found;
}

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
  /** γ: S is the start of a norm that follows this quantile of the updates' norms; without it S stays. */
  readonly quantile?: number | undefined;
  /** η_C of that norm. */
  readonly clipLearningRate?: number | undefined;
  /** σ_b, the noise on the number of updates within the norm; by default a twentieth of the participants. */
  readonly countNoise?: number | undefined;
}

/** How the clipping norm moves from round to round; undefined where it stays. */
export function adaptiveClip(privacy: PrivacySettings | undefined): AdaptiveClip | undefined {
  const { quantile, clipLearningRate: learningRate = CLIP_LEARNING_RATE, countNoise } = privacy ?? {};
  return quantile === undefined ? undefined : { quantile, learningRate, countNoise };
}

/** A strategy as a run's settings hold it. */
export type StrategySettings = StrategyRule & {
  /** Norm that updates are clipped to before the strategy sees them; `auto`: the median of theirs, round by round. */
  readonly clipNorm?: ClipNorm | undefined;
  readonly privacy?: PrivacySettings | undefined;
};

/** What an absent strategy means. */
export const FEDAVG: StrategySettings = { name: 'fedavg' };

/** The norm that a round clips to, where it moves; undefined where it stays. */
export function movedClip(
  { privacy }: StrategySettings,
  state: { readonly clip?: number | undefined },
): number | undefined {
  return adaptiveClip(privacy) === undefined ? undefined : (state.clip ?? privacy?.clip);
}

/** Whether the server's state is more than the global model. */
export function keepsState({ privacy, clipNorm: _, ...rule }: StrategySettings): boolean {
  const module = strategyModule(rule.name);
  if (module.kind !== 'averaging') return false;
  return adaptiveClip(privacy) !== undefined || module.step(valuesOf(rule)).slots.length > 0;
}

/** Whether the examples of all clients enter into the strategy's step. */
export function needsAllExamples(settings: StrategyRule): boolean {
  const module = strategyModule(settings.name);
  return module.kind === 'averaging' && module.step(valuesOf(settings)).needsAllExamples === true;
}

/** What the strategy asks of clients beside training. */
export function clientSide(name: StrategyName): ClientSide | undefined {
  const module = strategyModule(name);
  return module.kind === 'averaging' ? module.client : undefined;
}

/** Fewest updates of a round that the strategy can work with. */
export function fewestUpdates(settings: StrategyRule): FewestUpdates {
  return strategyModule(settings.name).fewestUpdates?.(valuesOf(settings)) ?? { updates: 1 };
}

/** A strategy's values as its module takes them: the name says that they are its own. */
export function valuesOf({ name: _, ...values }: StrategyRule): Readonly<Record<string, number>> {
  return values as Readonly<Record<string, number>>;
}
