/** Opens a run's volume: takes its lock, recognises an earlier run of the same settings, refuses any other. */
import { readdir, realpath, rmdir } from 'node:fs/promises';
import { basename, isAbsolute, join, relative, sep } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { DataError, UsageError } from '../../lib/core/errors.js';
import { errorCode, isRefusal } from '../../lib/core/system-errors.js';
import { removeTemporaryFiles } from '../../lib/formats/files/atomic-file.js';
import { ifWhole } from '../../lib/formats/files/json-document.js';
import { askFileServer } from '../../lib/formats/files/late-names.js';
import { takeLock } from '../../lib/formats/files/lock-file.js';
import { isAbsent } from '../../lib/formats/files/read-file.js';
import { readManifest } from '../../lib/formats/manifest.js';
import { newRunRecord, type RunRecord, readRunRecord, writeRecord } from '../../lib/formats/run-record.js';
import { repeatedPaths, type VolumePaths } from '../../lib/formats/volume.js';
import type { Reporter } from '../../lib/observability/events.js';
import { continuedSettings, settingsDifferences } from '../../lib/settings/differences.js';
import { type Naming, valueAt } from '../../lib/settings/setting.js';
import { filesIn } from '../../lib/settings/table.js';
import { givenLabels } from '../../lib/settings/value-type.js';
import { clearSplit, clearVolume } from './clear-volume.js';

/** A volume that this process alone may write until it is released. */
export interface RunVolume {
  readonly paths: VolumePaths;
  readonly record: RunRecord;
  /** True when the volume holds work of an earlier run of the same settings. */
  readonly resumed: boolean;
  /** Passes as long as the volume is this process's. @throws {UsageError} once it is not */
  requireHeld(): Promise<void>;
  release(): void;
}

/** What to open, and how. */
export interface OpenOptions {
  readonly paths: VolumePaths;
  /** What the run is, as asked for now. */
  readonly facts: Pick<RunRecord, 'id' | 'name' | 'tags' | 'settings' | 'threads' | 'versions'>;
  /** The facts' threads were asked for by the user, not chosen. */
  readonly requiresThreads: boolean;
  /** Start over: remove an earlier run. */
  readonly fresh: boolean;
  /** What messages call a setting. */
  readonly named: Naming;
  readonly reporter: Reporter;
}

/**
 * Opens the volume; `run.json` is its first file, so that whatever lies there has an owner.
 *
 * @throws {UsageError} when another run is at work there, it holds a run of other settings, files that are no run's, or
 * the dataset itself
 * @throws {DataError} when `run.json` is damaged, or of something else: with `fresh` too nothing is removed then
 */
export async function openRunVolume(options: OpenOptions): Promise<RunVolume> {
  const { paths, fresh } = options;
  await refuseFilesInside(options);
  await refuseForeignDirectory(paths);
  const lock = await takeLock(paths.lock);
  try {
    const earlier = await readOwnRecord(paths);
    if (earlier !== undefined && !fresh) refuseOtherRun(earlier, options);
    await sweep(paths);
    if (earlier !== undefined && fresh) await clearVolume(paths, earlier);
    if (earlier !== undefined && !fresh && !(await isVouchedFor(paths))) await clearSplit(paths, earlier);
    const resumed = earlier !== undefined && !fresh;
    const record = resumed ? continued(earlier, options.facts) : newRunRecord(options.facts);
    if (!isDeepStrictEqual(record, earlier)) await writeRecord(paths.run, record);
    return { paths, record, resumed, ...lock };
  } catch (error) {
    lock.release();
    throw error;
  }
}

/** The earlier run's record, with what may be asked for anew: what it is called, how long it goes on. */
function continued(earlier: RunRecord, facts: OpenOptions['facts']): RunRecord {
  const { settings } = facts;
  return { ...earlier, ...givenLabels(facts), settings: continuedSettings(earlier.settings, settings) };
}

/** Adds what the split found out: the hash of a dataset that was given by name. */
export async function recordDataset(
  { record, paths }: Pick<RunVolume, 'record' | 'paths'>,
  sha256: string,
): Promise<void> {
  if (record.settings.dataset.sha256 === sha256) return;
  const dataset = { ...record.settings.dataset, sha256 };
  await writeRecord(paths.run, { ...record, settings: { ...record.settings, dataset } });
}

/** Whether the splitter can tell that the shards are those of a split: all that lies in a run's own folder is the run's. */
async function isVouchedFor({ manifest, splitMark }: VolumePaths): Promise<boolean> {
  return (await ifWhole(readManifest(manifest))) !== undefined || !(await isAbsent(splitMark));
}

/**
 * What lies there is only a run's if its record says so; a damaged one looks like that of another program. Undefined where
 * there is none.
 */
async function readOwnRecord(paths: VolumePaths): Promise<RunRecord | undefined> {
  try {
    return await readRunRecord(paths.run);
  } catch (error) {
    if (!(error instanceof DataError) || isRefusal(error.cause)) throw error;
    if (errorCode(error.cause) === 'ENOENT') return undefined;
    const { file, expected, found } = error.problem;
    const wayOut = `choose another directory with --volume, or remove ${paths.root} by hand if nothing in it is needed`;
    throw new DataError({ file, expected, found: `${found} (${wayOut})` }, { cause: error });
  }
}

function refuseOtherRun(
  earlier: RunRecord,
  { paths, facts, requiresThreads, named, reporter }: OpenOptions,
): void {
  const differences = [
    ...settingsDifferences(earlier.settings, facts.settings, named),
    ...(requiresThreads && earlier.threads !== facts.threads
      ? [`--threads ${earlier.threads}, now ${facts.threads}`]
      : []),
  ];
  if (differences.length > 0) {
    throw new UsageError(
      `${paths.root} holds a run of other settings (${differences.join('; ')}): ` +
        'choose another directory with --volume, or start over there with --fresh.',
    );
  }
  if (earlier.versions.fedbatch !== facts.versions.fedbatch) {
    reporter.warn(
      `this run was begun by fedbatch ${earlier.versions.fedbatch} and is continued with ${facts.versions.fedbatch}: ` +
        'its bytes may differ from those of a run made by one version (--fresh starts over).',
    );
  }
}

/** The run writes there, and --fresh removes: the user's own files are none to do that to. */
async function refuseFilesInside({ paths, facts, named }: OpenOptions): Promise<void> {
  const root = await realpath(paths.root).catch(() => paths.root);
  for (const [place, file] of filesIn((at) => valueAt(facts.settings, at))) {
    const target = await realpath(file).catch(() => file);
    if (!isInside(paths.root, file) && !isInside(root, target)) continue;
    throw new UsageError(
      `${named(place)} ${file} is inside the volume ${paths.root}: choose another directory with --volume, or move it.`,
    );
  }
}

function isInside(directory: string, path: string): boolean {
  const way = relative(directory, path);
  return way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way);
}

/** A wrong --volume must not scatter a run's files among the user's. */
async function refuseForeignDirectory(paths: VolumePaths): Promise<void> {
  await askFileServer(paths.root);
  const names = await readdir(paths.root).catch((error: unknown): string[] => {
    if (errorCode(error) === 'ENOTDIR')
      throw new UsageError(`${paths.root} is a file; --volume takes a directory.`);
    return [];
  });
  // A run has begun there since: the lock tells the rest.
  if (names.includes(basename(paths.run))) return;
  const other = names.includes(basename(repeatedPaths(paths.root).record))
    ? 'a run with --seeds'
    : names.includes('run.json') && 'a run without --seeds';
  if (other) {
    throw new UsageError(`${paths.root} holds ${other}: choose another directory with --volume.`);
  }
  const foreign = names.find((name) => !name.startsWith('.') && name !== 'lost+found');
  if (foreign === undefined) return;
  throw new UsageError(
    `${paths.root} holds files of something else than a fedbatch run ("${foreign}"): ` +
      'choose an empty or new directory with --volume.',
  );
}

/** Removes what a run has written since its volume was deleted: without its record it would be in the way of the next. */
export async function clearRemains({ paths, record }: RunVolume): Promise<void> {
  try {
    await sweep(paths);
    await clearVolume(paths, record);
    await rmdir(paths.root);
  } catch {
    // Gone altogether, or something of somebody else's lies there.
  }
}

/** Removes what killed writers left half-written, and what one writes that has lost the volume: before any record is read. */
async function sweep(paths: VolumePaths): Promise<void> {
  const rounds = await readdir(paths.rounds).catch(() => []);
  const inRounds = rounds.flatMap((round) => [
    join(paths.rounds, round),
    join(paths.rounds, round, 'updates'),
  ]);
  for (const directory of [paths.root, paths.data, paths.models, ...inRounds]) {
    await removeTemporaryFiles(directory);
  }
}
