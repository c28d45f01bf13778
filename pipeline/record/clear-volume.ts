/** Clears a run off its volume: the files that a run writes, by their names, and nothing that lies beside them. */
import { rm, rmdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { errorCode } from '../../lib/core/system-errors.js';
import { PARTITION_NAME, TRAIN_NAME } from '../../lib/formats/data/virtual-shards.js';
import { storageError } from '../../lib/formats/files/atomic-file.js';
import type { RunRecord } from '../../lib/formats/run-record.js';
import { eventParts } from '../../lib/formats/runs/event-lines.js';
import { MOST_LOGGED_CLIENTS, type VolumePaths } from '../../lib/formats/volume.js';
import { remembers } from '../commands/stage-commands.js';
import { clearPlaces } from './places.js';

/**
 * Removes the files of the run that `record` tells of, but for the record itself: a volume that is half cleared, or
 * that is cleared and has no new run yet, is still known as a run's. Directories go when nothing else lies in them.
 *
 * @throws {StorageError} when a file cannot be removed
 */
export async function clearVolume(paths: VolumePaths, record: RunRecord): Promise<void> {
  await refusedAs(paths.places, clearPlaces(paths, roundsOf(paths, record.settings)));
  await removeAll([...(await eventParts(paths.metrics)).toReversed(), ...filesOf(paths, record)]);
  for (const directory of directoriesOf(paths, record)) {
    await refusedAs(
      directory,
      rmdir(directory).catch((error: unknown) => {
        if (!['ENOENT', 'ENOTEMPTY', 'EEXIST', 'ENOTDIR'].includes(errorCode(error))) throw error;
      }),
    );
  }
}

/** Removes the run's shards, which nothing vouches for. @throws {StorageError} when a file cannot be removed */
export async function clearSplit(paths: VolumePaths, { settings }: RunRecord): Promise<void> {
  await removeAll(splitFilesOf(paths, settings));
}

async function removeAll(files: Iterable<string>): Promise<void> {
  for (const file of files) await refusedAs(file, rm(file, { force: true }));
}

function* filesOf(paths: VolumePaths, { settings }: RunRecord): Generator<string> {
  const { simulate = false, clients: count } = settings.federation;
  // Thousands of virtual clients have no files.
  const clients = range(simulate ? 0 : count);
  // But for what they keep between rounds.
  const keeping = range(!simulate || remembers(settings) ? count : 0);
  yield* [paths.aggregatedModel, paths.bestModel, paths.accuracy, paths.metrics, paths.report];
  yield* clients.map((client) => paths.clientModel(client));
  yield* eventFilesOf(paths, settings);
  for (const round of roundsOf(paths, settings)) {
    yield* keeping.map((client) => round.update(client));
    yield* [round.globalModel, round.serverState, round.record];
  }
  // The next run is another one, which draws noise of its own.
  yield paths.noiseKey;
  yield* splitFilesOf(paths, settings);
}

/** In the order of removal: shards before the manifest that tells whose they are. */
function* splitFilesOf(paths: VolumePaths, { federation }: RunRecord['settings']): Generator<string> {
  const { simulate = false, clientHoldout } = federation;
  // Thousands of virtual clients have no files.
  const clients = range(simulate ? 0 : federation.clients);
  yield* clients.map((client) => paths.shard(client));
  if (clientHoldout !== undefined) yield* clients.map((client) => paths.clientTest(client));
  if (simulate) yield* [TRAIN_NAME, PARTITION_NAME].map((name) => join(paths.data, name));
  yield* [paths.test, paths.manifest, paths.splitMark];
}

/** Inner ones first. */
function directoriesOf(paths: VolumePaths, { settings }: RunRecord): readonly string[] {
  const rounds = roundsOf(paths, settings).flatMap((round) => [round.updates, round.root]);
  const logs = eventFilesOf(paths, settings).map((file) => dirname(file));
  return [...rounds, paths.rounds, paths.models, paths.data, ...logs, paths.logs];
}

function eventFilesOf(paths: VolumePaths, { federation }: RunRecord['settings']): readonly string[] {
  const clients = range(Math.min(federation.clients, MOST_LOGGED_CLIENTS));
  return [paths.eventFile('global'), ...clients.map((client) => paths.eventFile(client))];
}

function roundsOf(paths: VolumePaths, { federation }: RunRecord['settings']) {
  // After the last round lies what a further one would start from.
  return range(federation.rounds + 1).map((index) => paths.round(index + 1));
}

const range = (length: number) => Array.from({ length }, (_, index) => index);

async function refusedAs(path: string, removal: Promise<void>): Promise<void> {
  await removal.catch((error: unknown) => {
    throw storageError(path, error);
  });
}
