/** The border between callers of the library and the programs' code: who is told, who stops it, what errors say. */
import { FedbatchError, UsageError } from '../lib/core/errors.js';
import { type Reporter, silentReporter } from '../lib/observability/events.js';
import { inWords } from '../lib/settings/config-file.js';
import { flagOf, type SettingsStage } from '../lib/settings/setting.js';
import { SETTINGS } from '../lib/settings/table.js';

/** What every call takes that takes time. */
export interface CallOptions {
  /** Stops the work; the call then rejects with the signal's reason, and nothing is half written. */
  readonly signal?: AbortSignal | undefined;
  /** Is told progress, notes and warnings; nobody is by default. */
  readonly reporter?: Partial<Reporter> | undefined;
}

/** What the programs' code works with. */
export interface CallContext {
  readonly reporter: Reporter;
  readonly signal: AbortSignal;
}

/** A reporter that is silent where the caller's has nothing to say. */
export function reporterOf(reporter: Partial<Reporter> = {}): Reporter {
  return { ...silentReporter, ...reporter };
}

/**
 * Does the work of a call. Its errors name settings by their places and options by their names, as callers know them.
 *
 * @throws the reason of the signal where it stopped the work
 */
export async function call<T>(options: CallOptions, work: (context: CallContext) => Promise<T>): Promise<T> {
  if (typeof options !== 'object' || options === null) {
    throw new UsageError(`Expected options by name, found ${inWords(options)}.`);
  }
  const { signal = new AbortController().signal, reporter } = options;
  signal.throwIfAborted();
  try {
    return await work({ signal, reporter: reporterOf(reporter) });
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof FedbatchError) error.message = withoutFlags(error.message);
    throw error;
  }
}

/** Options of programs that the library takes under the same name. */
const OPTIONS = [
  ...[
    'out',
    'init',
    'client',
    'client-test',
    'per-client',
    'classes',
    'round',
    'parent',
    'manifest',
    'reported',
    'clients',
    'min-updates',
  ],
  ...[
    'state-in',
    'state-out',
    'test-fraction',
    'volume',
    'jobs',
    'threads',
    'fresh',
    'min-accuracy',
    'min-metric',
    'model',
  ],
  ...['dp-participants', 'dp-population', 'dp-noise-file'],
  ...['batch', 'data', 'host', 'port', 'labels', 'workers', 'seeds'],
  ...['to', 'output', 'card', 'python'],
];

/** Flag → the name that callers of the library know. Settings go first: their flags are theirs everywhere. */
const NAMES: ReadonlyMap<string, string> = new Map([
  ...OPTIONS.map(
    (name) => [`--${name}`, name.replaceAll(/-([a-z])/g, (_, letter) => letter.toUpperCase())] as const,
  ),
  ...SETTINGS.flatMap((setting) =>
    [undefined, ...Object.keys(setting.flagIn ?? {})].flatMap((stage) => {
      const flag = flagOf(setting, stage as SettingsStage | undefined);
      return flag === undefined ? [] : [[flag, setting.place] as const];
    }),
  ),
]);

/** `--epochs 2` → `training.epochs 2`; flags of other programs stay. */
export function withoutFlags(message: string): string {
  return message.replaceAll(/(?<![\w-])--[a-z][a-z0-9-]*/g, (flag) => NAMES.get(flag) ?? flag);
}
