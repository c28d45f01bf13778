/** The options of every program that runs an engine: which one, on what, with how many threads. */
import { Option } from 'commander';
import { backendNames, ENGINE_CHOICES, type EngineChoice, engineChoice } from '../engine/engine-choice.js';
import { availableCores } from '../system/hardware.js';
import { integerOption, MAX_THREADS } from './options.js';

/** What `engineOption` and `backendOption` parse to. */
export interface EngineFlags {
  readonly engine: EngineChoice['name'];
  readonly backend?: NonNullable<EngineChoice['backend']>;
}

/** `--engine`. */
export function engineOption(): Option {
  return new Option('--engine <name>', 'what runs the mathematics; auto takes the best that works here')
    .choices(ENGINE_CHOICES)
    .default('auto');
}

/** `--backend`. */
export function backendOption(): Option {
  return new Option(
    '--backend <name>',
    'the device and library under the engine (default: the best that works here; see npx fedbatch doctor)',
  ).choices(backendNames());
}

/** `--threads`, by default one for each core of this machine or container. */
export function threadsOption(description = 'processor threads to use'): Option {
  return new Option('--threads <n>', description)
    .argParser(integerOption({ min: 1, max: MAX_THREADS }))
    .default(availableCores(), 'the cores of this machine or container');
}

/** The choice that the flags make. @throws {UsageError} when they do not go together */
export function choiceOf({ engine, backend }: EngineFlags): EngineChoice {
  return engineChoice(engine, backend);
}
