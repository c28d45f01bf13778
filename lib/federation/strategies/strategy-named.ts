/** Makes the strategy that settings name, with the clipping or the privacy around it. */
import { normals, systemBits } from '../privacy/gaussian.js';
import { privateMean } from '../privacy/private-mean.js';
import { randomStream } from '../random.js';
import { clipNorm } from './clip-norm.js';
import { coordinateMedian } from './coordinate-median.js';
import { fedAdagrad } from './fed-adagrad.js';
import { fedAdam } from './fed-adam.js';
import { fedAvg } from './fed-avg.js';
import { fedAvgM } from './fed-avgm.js';
import { fedYogi } from './fed-yogi.js';
import { krum, multiKrum } from './krum.js';
import { type Averaging, type ServerStep, stepStrategy, weightedMean } from './server-step.js';
import type { Strategy } from './strategy.js';
import type { PrivacySettings, StrategyRule, StrategySettings } from './strategy-settings.js';
import { trimmedMean } from './trimmed-mean.js';

/** What a private strategy needs to know of the run. */
export interface RunFacts {
  /** The run's seed; noise derives from it only where the settings say so. */
  readonly seed: number;
  /** Clients selected in a round. */
  readonly participants: number;
}

/** The strategy of `settings`; `facts` matter to private ones alone. */
export function strategyNamed(settings: StrategySettings, facts?: RunFacts): Strategy {
  const { privacy } = settings;
  const average = privacy === undefined ? weightedMean : privateAverage(privacy, facts);
  const step = serverStep(settings);
  const strategy = step === undefined ? robust(settings) : stepStrategy(settings.name, step, average);
  return settings.clipNorm === undefined ? strategy : clipNorm(strategy, settings.clipNorm);
}

/** How the server steps towards the average of the updates; undefined for strategies without an average of all. */
function serverStep(settings: StrategyRule): ServerStep | undefined {
  switch (settings.name) {
    case 'fedavg':
      return fedAvg;
    case 'fedavgm':
      return fedAvgM(settings);
    case 'fedadagrad':
      return fedAdagrad(settings);
    case 'fedadam':
      return fedAdam(settings);
    case 'fedyogi':
      return fedYogi(settings);
    default:
      return undefined;
  }
}

function robust(settings: StrategyRule): Strategy {
  switch (settings.name) {
    case 'median':
      return coordinateMedian;
    case 'trimmed-mean':
      return trimmedMean(settings);
    case 'krum':
      return krum(settings);
    case 'multi-krum':
      return multiKrum(settings);
    default:
      throw new Error(`${settings.name} is no strategy`);
  }
}

function privateAverage(
  { clip, noise, noiseSource }: PrivacySettings,
  facts: RunFacts | undefined,
): Averaging {
  if (facts === undefined) throw new Error('a private strategy needs the facts of its run');
  const { seed, participants } = facts;
  const bits = (round: number) =>
    noiseSource === 'seed' ? randomStream(seed, 'privacy', round) : systemBits();
  return privateMean({ clip, noise, participants, normals: (round) => normals(bits(round)) });
}
