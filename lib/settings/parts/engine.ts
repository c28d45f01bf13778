/** Settings of the mathematics: which engine runs it, on what. */
import { backendNames, ENGINE_CHOICES } from '../../engine/engine-choice.js';
import { part } from '../setting.js';
import { choice } from '../value-type.js';

/** As asked for; what really ran is recorded with each client. */
export const ENGINE = part('engine', {
  name: {
    type: choice(ENGINE_CHOICES),
    default: 'auto',
    older: 'auto',
    help: 'what runs the mathematics; auto takes the best that works here',
    symbol: 'name',
    group: 'Machine',
    stages: ['train', 'evaluate', 'simulate', 'serve', 'doctor'],
    affects: 'results',
    recorded: 'always',
    reportName: 'engine',
  },
  backend: {
    type: choice(backendNames()),
    otherwise: 'the best that works here; see npx fedbatch doctor',
    help: 'the device and library under the engine',
    symbol: 'name',
    group: 'Machine',
    stages: ['train', 'evaluate', 'simulate', 'serve', 'doctor'],
    affects: 'results',
    recorded: 'where-asked',
  },
});
