/** Which watchers a run has, by what it was asked for. */
import type { VolumePaths } from '../lib/formats/volume.js';
import type { Reporter } from '../lib/observability/events.js';
import type { GivenSettings } from '../lib/settings/complete.js';
import { prometheusAsked } from '../lib/settings/parts/watching.js';
import {
  createWatchers,
  type GroupEnding,
  NOBODY,
  type RunGroup,
  type RunWatcher,
  type Watchers,
} from './watcher.js';

/** Whom they tell of what goes wrong, and the volume that they may read, and write their own files onto. */
export interface WatchContext {
  readonly paths: VolumePaths;
  readonly reporter: Reporter;
  /** What the run is a part of. */
  readonly partOf?: RunGroup | undefined;
}

/** Opens a watcher; undefined where it was not asked for. What it needs is loaded only then. */
type Opener = (given: GivenSettings, context: WatchContext) => Promise<RunWatcher | undefined>;

const OPENERS: readonly Opener[] = [openTensorboard, openMlflow, openEventProgram, openPrometheus];

/** Opens the watchers that were asked for. @throws {UsageError} where what was asked for cannot be */
export async function openWatchers(given: GivenSettings, context: WatchContext): Promise<Watchers> {
  const opened = await Promise.all(OPENERS.map((open) => open(given, context)));
  const watchers = opened.filter((watcher) => watcher !== undefined);
  return watchers.length === 0 ? NOBODY : createWatchers(watchers, context.reporter);
}

async function openTensorboard(
  { 'watching.tensorboard': isAsked }: GivenSettings,
  { paths }: WatchContext,
): Promise<RunWatcher | undefined> {
  if (isAsked !== true) return undefined;
  const { tensorboardWatcher } = await import('./tensorboard/run-logs.js');
  return tensorboardWatcher(paths);
}

async function openMlflow(given: GivenSettings, context: WatchContext): Promise<RunWatcher | undefined> {
  const place = await askedMlflow(given, context);
  if (place === undefined) return undefined;
  const { mlflowWatcher } = await import('./mlflow/watcher.js');
  return mlflowWatcher({ ...place, ...context });
}

/** Where MLflow is; by itself, its environment asks for it too. */
async function askedMlflow(given: GivenSettings, { reporter }: Pick<WatchContext, 'reporter'>) {
  if (given['watching.mlflow'] === undefined && !process.env.MLFLOW_TRACKING_URI) return undefined;
  const { mlflowPlace } = await import('./mlflow/address.js');
  return mlflowPlace(given, reporter);
}

async function openEventProgram(
  given: GivenSettings,
  { paths, reporter }: WatchContext,
): Promise<RunWatcher | undefined> {
  const { 'watching.onEvent': command } = given;
  if (command === undefined) return undefined;
  const { eventProgram } = await import('./on-event.js');
  const { readRunRecord } = await import('../lib/formats/run-record.js');
  const { id: run } = await readRunRecord(paths.run);
  return eventProgram({ command: `${command}`, run, volume: paths.root, reporter });
}

async function openPrometheus(given: GivenSettings, context: WatchContext): Promise<RunWatcher | undefined> {
  const asked = prometheusAsked(given);
  if (asked === undefined) return undefined;
  const { watchRun } = await import('./prometheus/run-metrics.js');
  return watchRun(asked, context);
}

/** Tells those who watch each run of a group how the group ended. */
export async function tellGroupEnd(
  given: GivenSettings,
  {
    group,
    ending,
    reporter,
  }: { readonly group: RunGroup; readonly ending: GroupEnding; readonly reporter: Reporter },
): Promise<void> {
  const place = await askedMlflow(given, { reporter });
  if (place === undefined) return;
  const { endGroup } = await import('./mlflow/group.js');
  await endGroup(place, { group, ending, reporter });
}
