/** What the pods of a round's clients see, each its own alone: laid out before the round, gathered after it. */
import { lstat, readdir, rm, rmdir } from 'node:fs/promises';
import { basename, join, relative } from 'node:path';
import { selectClients } from '../../lib/federation/participation.js';
import { makeDirectory, placeFileAtomic } from '../../lib/formats/files/atomic-file.js';
import { askFileServer, isThere } from '../../lib/formats/files/late-names.js';
import { excerptFor, type Manifest, readManifest, writeManifest } from '../../lib/formats/manifest.js';
import { readRoundRecord, readRunRecord } from '../../lib/formats/run-record.js';
import { type RoundPaths, type VolumePaths, volumePaths } from '../../lib/formats/volume.js';
import { remembers } from '../commands/stage-commands.js';
import { lastUpdates } from './settled-rounds.js';

/** Clients whose files are handled at the same time: a file server answers many at once, each of them late. */
const AT_ONCE = 16;

/** The clients of a round, in the order of their places, and what they go on from. */
interface RoundPlaces {
  readonly round: number;
  readonly clients: readonly number[];
  /** Whether their strategy remembers. */
  readonly remembers: boolean;
  /** The files of a client's own past that it may go on from. */
  keptBy(client: number): Promise<readonly string[]> | readonly string[];
}

/**
 * Lays out the places of the clients that the seed selects for a round of a run on record. Nothing is laid out for a
 * round that the run does not have, or whose model is not there yet.
 *
 * @returns how many there are
 */
export async function layPlaces(paths: VolumePaths, round: number): Promise<number> {
  const { settings } = await readRunRecord(paths.run);
  const { federation, seed } = settings;
  if (round > federation.rounds || !(await isThere(paths.round(round).globalModel))) return 0;
  const goOn = round > 1 && remembers(settings);
  const earlier = goOn ? roundsBefore(paths, round) : [];
  const kept = lastUpdates(await Promise.all(earlier.map(({ record }) => readRoundRecord(record))));
  const clients = selectClients(federation, { seed, round });
  await layPlacesOf(paths, {
    ...{ round, clients, remembers: goOn },
    keptBy(client) {
      const last = kept.get(client);
      return last === undefined ? [] : [paths.round(last.round).update(client)];
    },
  });
  return clients.length;
}

/** The same without a record: a client that remembers sees all updates of its own that there are. Without clients all places go. */
export function layNamedPlaces(
  paths: VolumePaths,
  { round, clients, remembers: asked }: Omit<RoundPlaces, 'keptBy'>,
): Promise<void> {
  if (clients.length === 0) return removePlaces(paths);
  const goOn = round > 1 && asked;
  const earlier = goOn ? roundsBefore(paths, round) : [];
  return layPlacesOf(paths, {
    ...{ round, clients, remembers: goOn },
    async keptBy(client) {
      const updates = earlier.map(({ update }) => update(client));
      const areThere = await Promise.all(updates.map(isThere));
      return updates.filter((_, at) => areThere[at]);
    },
  });
}

const roundsBefore = (paths: VolumePaths, round: number): readonly RoundPaths[] =>
  Array.from({ length: round - 1 }, (_, at) => paths.round(at + 1));

/**
 * Lays out a volume for each client: its shard, what it holds out, an excerpt of the manifest, the model that the round
 * starts from, and where its strategy remembers, what it goes on from. Files are links to those of the run, or copies
 * where the file system has none. Safe to repeat, also while clients are at work; places of other rounds go.
 */
async function layPlacesOf(
  paths: VolumePaths,
  { round, clients, remembers: goOn, keptBy }: RoundPlaces,
): Promise<void> {
  const files = paths.round(round);
  const manifest = await readManifest(paths.manifest);
  const shared = [files.globalModel, ...(goOn ? [files.serverState] : [])];
  await removePlaces(paths, round);
  await forEach(clients, async (client, at) => {
    const seen = [...shared, paths.shard(client)];
    if (manifest.shards[client]?.heldOut !== undefined) seen.push(paths.clientTest(client));
    seen.push(...(await keptBy(client)));
    await layPlace(paths, { files, at, client, manifest, seen });
  });
}

interface Place {
  readonly files: RoundPaths;
  readonly at: number;
  readonly client: number;
  readonly manifest: Manifest;
  /** Files of the run. */
  readonly seen: readonly string[];
}

async function layPlace(paths: VolumePaths, { files, at, client, manifest, seen }: Place): Promise<void> {
  const place = files.place(at);
  const inPlace = (path: string) => join(place, relative(paths.root, path));
  for (const file of seen) await placeFileAtomic(file, inPlace(file));
  await writeManifest(volumePaths(place).manifest, excerptFor(manifest, client));
  // A cluster mounts the one over the other; what it has to make itself belongs to root.
  await makeDirectory(inPlace(files.updates));
  await makeDirectory(files.ownUpdates(at));
}

/** Puts the updates of a round where they lie on every volume: what clients left of their own goes. */
export async function gatherUpdates(
  paths: VolumePaths,
  { round, selected }: { readonly round: number; readonly selected: readonly number[] },
): Promise<void> {
  const files = paths.round(round);
  await askFileServer(files.updates);
  const names = new Set(await readdir(files.updates).catch(() => []));
  await forEach(selected, async (client, at) => {
    if (!names.has(`${at}`)) return;
    const own = files.ownUpdates(at);
    // What another machine has just written must not be removed as if it were not there.
    await askFileServer(own);
    const update = join(own, basename(files.update(client)));
    const found = await lstat(update).catch(() => undefined);
    // A client may leave anything: a link would have the aggregator read what the client could not.
    if (found?.isFile()) await placeFileAtomic(update, files.update(client));
    await rm(own, { recursive: true, force: true });
  });
}

/** Removes all places, and what clients left of their own in rounds that are to be gone. */
export async function clearPlaces(paths: VolumePaths, rounds: readonly RoundPaths[]): Promise<void> {
  await removePlaces(paths);
  for (const { updates } of rounds) {
    const names = await readdir(updates).catch(() => []);
    for (const name of names.filter((each) => /^\d+$/.test(each)))
      await rm(join(updates, name), { recursive: true, force: true });
    // Where others have left something, it stays.
    await rmdir(updates).catch(() => undefined);
  }
}

/** Removes all places, but for those of a round that goes on. */
async function removePlaces(paths: VolumePaths, but?: number): Promise<void> {
  const stays = but === undefined ? undefined : basename(paths.round(but).places);
  for (const name of await readdir(paths.places).catch(() => []))
    if (name !== stays) await rm(join(paths.places, name), { recursive: true, force: true });
  if (but === undefined) await rm(paths.places, { recursive: true, force: true });
}

async function forEach<T>(items: readonly T[], work: (item: T, at: number) => Promise<void>): Promise<void> {
  for (let from = 0; from < items.length; from += AT_ONCE)
    await Promise.all(items.slice(from, from + AT_ONCE).map((item, at) => work(item, from + at)));
}
