/** Opens a run's volume: takes its lock, recognises an earlier run of the same settings, refuses any other. */
import { access, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { DataError, UsageError } from '../lib/federation/errors.js';
import { removeTemporaryFiles } from '../lib/formats/atomic-file.js';
import { newRunRecord, type RunRecord, readRunRecord, writeRecord } from '../lib/formats/run-record.js';
import type { VolumePaths } from '../lib/formats/volume.js';
import type { Reporter } from '../lib/observability/events.js';
import { takeLock } from './lock.js';
import { settingsDifferences } from './settings.js';

/** A volume that this process alone may write until it is released. */
export interface RunVolume {
  readonly paths: VolumePaths;
  readonly record: RunRecord;
  /** True when the volume holds work of an earlier run of the same settings. */
  readonly resumed: boolean;
  release(): void;
}

/** What to open, and how. */
export interface OpenOptions {
  readonly paths: VolumePaths;
  /** What the run is, as asked for now. */
  readonly facts: Pick<RunRecord, 'id' | 'settings' | 'threads' | 'versions'>;
  /** The facts' threads were asked for by the user, not chosen. */
  readonly requiresThreads: boolean;
  /** Start over: remove an earlier run. */
  readonly fresh: boolean;
  readonly reporter: Reporter;
}

/**
 * Opens the volume; `run.json` is its first file, so that whatever lies there has an owner.
 *
 * @throws {UsageError} when another run is at work there, it holds a run of other settings, or files that are no run's
 * @throws {DataError} when `run.json` is damaged
 */
export async function openRunVolume(options: OpenOptions): Promise<RunVolume> {
  const { paths, fresh } = options;
  await refuseForeignDirectory(paths);
  const lock = await takeLock(join(paths.root, '.lock'));
  try {
    if (fresh) await clear(paths);
    else await sweep(paths);
    const earlier = (await exists(paths.run)) ? await readEarlier(options) : undefined;
    const record = earlier ?? newRunRecord(options.facts);
    if (earlier === undefined) await writeRecord(paths.run, record);
    return { paths, record, resumed: earlier !== undefined, release: lock.release };
  } catch (error) {
    lock.release();
    throw error;
  }
}

/** Adds what the split found out: the hash of a dataset that was given by name. */
export async function recordDataset(volume: RunVolume, sha256: string): Promise<void> {
  const { record, paths } = volume;
  if (record.settings.dataset.sha256 === sha256) return;
  const dataset = { ...record.settings.dataset, sha256 };
  await writeRecord(paths.run, { ...record, settings: { ...record.settings, dataset } });
}

async function readEarlier({ paths, facts, requiresThreads, reporter }: OpenOptions): Promise<RunRecord> {
  const earlier = await readRunRecord(paths.run).catch((error: unknown) => {
    if (!(error instanceof DataError)) throw error;
    const { file, expected, found } = error.problem;
    throw new DataError({ file, expected, found: `${found} (--fresh starts over)` }, { cause: error });
  });
  const differences = [
    ...settingsDifferences(earlier.settings, facts.settings),
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
      `this run was begun by fedbatch ${earlier.versions.fedbatch} and goes on with ${facts.versions.fedbatch}: ` +
        'its bytes may differ from those of a run made by one version (--fresh starts over).',
    );
  }
  return earlier;
}

/** A wrong --volume must not scatter a run's files among the user's. */
async function refuseForeignDirectory(paths: VolumePaths): Promise<void> {
  if (await exists(paths.run)) return;
  const names = await readdir(paths.root).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOTDIR')
      throw new UsageError(`${paths.root} is a file; --volume takes a directory.`);
    return [];
  });
  const foreign = names.find((name) => !name.startsWith('.') && name !== 'lost+found');
  if (foreign === undefined) return;
  throw new UsageError(
    `${paths.root} holds files of something else than a fedbatch run ("${foreign}"): ` +
      'choose an empty or new directory with --volume.',
  );
}

/** Removes an earlier run; its record last, so that a volume that is half cleared is still known as a run's. */
async function clear(paths: VolumePaths): Promise<void> {
  const { data, rounds, models, aggregatedModel, bestModel, accuracy, metrics, logs, run } = paths;
  for (const path of [data, rounds, models, aggregatedModel, bestModel, accuracy, metrics, logs, run]) {
    await rm(path, { recursive: true, force: true });
  }
}

/** Removes what killed writers left half-written. */
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

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
