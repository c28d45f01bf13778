/** Settings of the mathematics: which engine runs it, on what; the words of `--engine` and `--backend`, and which go together. */

import { UsageError } from '../../core/errors.js';
import { type AskedSettings, completeSettings } from '../complete.js';
import { part } from '../setting.js';
import { choice } from '../value-type.js';

/** The backends of each engine: the device and the library under it. */
const BACKENDS = {
  tensorflow: ['node-gpu', 'node', 'webgpu', 'cpu'],
  onnx: ['cuda', 'webgpu', 'cpu', 'wasm'],
} as const satisfies Readonly<Record<string, readonly string[]>>;

/** What runs the mathematics. */
export type EngineName = keyof typeof BACKENDS;
/** A backend of any engine. */
export type BackendName = (typeof BACKENDS)[EngineName][number];

/** The values of `--engine`. */
const ENGINE_CHOICES: readonly ('auto' | EngineName)[] = ['auto', ...engineNames()];

/** What was asked for; `auto`, and an engine without a backend, leave it to the machine. */
export interface EngineChoice {
  readonly name: 'auto' | EngineName;
  readonly backend?: BackendName;
}

/** The engines by name. */
function engineNames(): readonly EngineName[] {
  return Object.keys(BACKENDS) as EngineName[];
}

/** All backends, each once. */
function backendNames(): readonly BackendName[] {
  return [...new Set(engineNames().flatMap((name): readonly BackendName[] => BACKENDS[name]))];
}

/** The engines that a choice allows: one, or with `auto` all that have the backend. */
export function enginesOf({ name, backend }: EngineChoice): readonly EngineName[] {
  const named = name === 'auto' ? engineNames() : [name];
  return named.filter((each) => {
    const backends: readonly BackendName[] = BACKENDS[each];
    return backend === undefined || backends.includes(backend);
  });
}

/**
 * The choice behind two flags.
 *
 * @throws {UsageError} when the engine has no such backend
 */
export function engineChoice(name: EngineChoice['name'], backend?: BackendName): EngineChoice {
  const choice = backend === undefined ? { name } : { name, backend };
  if (enginesOf(choice).length > 0 || name === 'auto') return choice;
  throw new UsageError(
    `The engine ${name} has no backend ${backend}: expected ${BACKENDS[name].join(', ')}, or another engine.`,
  );
}

/** A choice as users wrote it, e.g. `auto`, `onnx`, `tensorflow/node-gpu`. */
export function formatChoice({ name, backend }: EngineChoice): string {
  return backend === undefined ? name : `${name}/${backend}`;
}

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
