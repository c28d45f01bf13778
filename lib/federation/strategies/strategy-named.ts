/** Makes the strategy that settings name. */
import { fedAdagrad } from './fed-adagrad.js';
import { fedAdam } from './fed-adam.js';
import { fedAvg } from './fed-avg.js';
import { fedAvgM } from './fed-avgm.js';
import { fedYogi } from './fed-yogi.js';
import { stepStrategy } from './server-step.js';
import type { Strategy } from './strategy.js';
import type { StrategySettings } from './strategy-settings.js';

/** The strategy of `settings`. */
export function strategyNamed(settings: StrategySettings): Strategy {
  switch (settings.name) {
    case 'fedavg':
      return stepStrategy(settings.name, fedAvg);
    case 'fedavgm':
      return stepStrategy(settings.name, fedAvgM(settings));
    case 'fedadagrad':
      return stepStrategy(settings.name, fedAdagrad(settings));
    case 'fedadam':
      return stepStrategy(settings.name, fedAdam(settings));
    case 'fedyogi':
      return stepStrategy(settings.name, fedYogi(settings));
  }
}
