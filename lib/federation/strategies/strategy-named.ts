/** Makes the strategy that settings name, with the clipping or the privacy around it. */
import { randomStream } from '../../core/random.js';
import { type Draw, type NoiseSource, normals } from '../privacy/keyed-noise.js';
import { privateMean } from '../privacy/private-mean.js';
import { clipNorm } from './clip-norm.js';
import { type Averaging, stepStrategy, weightedMean } from './server-step.js';
import type { Strategy } from './strategy.js';
import {
  adaptiveClip,
  type PrivacySettings,
  type StrategySettings,
  strategyModule,
  valuesOf,
} from './strategy-settings.js';

/** What some strategies need to know of the run. */
interface StrategyFacts {
  /** The run's seed; noise derives from it only where the settings say so. */
  readonly seed: number;
  /** Clients selected in a round, for a private strategy. */
  readonly participants?: number | undefined;
  /** Examples of all clients, for one that needs them. */
  readonly allExamples?: number | undefined;
  /** Where noise comes from that does not derive from the seed. */
  readonly noise?: NoiseSource | undefined;
}

/** The strategy of `settings`. */
export function strategyNamed(settings: StrategySettings, facts?: StrategyFacts): Strategy {
  const { privacy, clipNorm: maxNorm, ...rule } = settings;
  const module = strategyModule(settings.name);
  const values = valuesOf(rule);
  const strategy =
    module.kind === 'averaging'
      ? {
          ...stepStrategy(module.name, module.step(values), {
            average: privacy === undefined ? weightedMean : privateAverage(privacy, facts),
            allExamples: facts?.allExamples,
          }),
          ...(module.client === undefined ? {} : { client: module.client }),
        }
      : module.strategy(values);
  return maxNorm === undefined ? strategy : clipNorm(strategy, maxNorm);
}

function privateAverage(privacy: PrivacySettings, facts: StrategyFacts | undefined): Averaging {
  const { clip, noise, noiseSource } = privacy;
  if (facts?.participants === undefined) throw new Error('a private strategy needs the facts of its run');
  const { seed, participants, noise: keyed } = facts;
  const bits = (draw: Draw) => {
    if (noiseSource === 'seed') return randomStream(seed, 'privacy', draw.round);
    if (keyed === undefined) throw new Error('noise has no source');
    return keyed(draw);
  };
  const adaptive = adaptiveClip(privacy);
  return privateMean({ clip, noise, participants, adaptive, normals: (draw) => normals(bits(draw)) });
}
