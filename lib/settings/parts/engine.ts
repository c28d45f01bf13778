/** Settings of the mathematics: which engine runs it, on what. */
import { type AskedSettings, completeSettings } from '../complete.js';
import { backendNames, ENGINE_CHOICES, type EngineChoice, engineChoice } from '../engine-choice.js';
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
    recorded: 'if-known',
  },
});

/** The engine that is asked for. @throws {UsageError} when it has no such backend */
export function engineAsked(asked: AskedSettings): EngineChoice {
  const { engine } = completeSettings([ENGINE], asked);
  return engineChoice(engine.name, engine.backend);
}
