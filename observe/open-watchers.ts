/** Which watchers a run has, by what it was asked for. */
import type { VolumePaths } from '../lib/formats/volume.js';
import type { Reporter } from '../lib/observability/events.js';
import type { AskedSettings } from '../lib/settings/complete.js';
import { createWatchers, NOBODY, type RunWatcher, type Watchers } from './watcher.js';

/** Whom they tell of what goes wrong, and the volume that they may read, and write their own files onto. */
export interface WatchContext {
  readonly paths: VolumePaths;
  readonly reporter: Reporter;
}

/** Opens a watcher; undefined where it was not asked for. What it needs is loaded only then. */
type Opener = (asked: AskedSettings['given'], context: WatchContext) => Promise<RunWatcher | undefined>;

const OPENERS: readonly Opener[] = [];

/** Opens the watchers that were asked for. @throws {UsageError} where what was asked for cannot be */
export async function openWatchers(asked: AskedSettings['given'], context: WatchContext): Promise<Watchers> {
  const opened = await Promise.all(OPENERS.map((open) => open(asked, context)));
  const watchers = opened.filter((watcher) => watcher !== undefined);
  return watchers.length === 0 ? NOBODY : createWatchers(watchers, context.reporter);
}
