/** The files of a split in its directory: their names, whose they are, whether they are whole, how old ones are cleared. */
import { randomBytes } from 'node:crypto';
import { readdir, realpath, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { z } from 'zod';
import { StageError, StorageError, UsageError } from '../lib/core/errors.js';
import { errorCode, systemReason } from '../lib/core/system-errors.js';
import { PARTITION_NAME, TRAIN_NAME } from '../lib/formats/data/virtual-shards.js';
import { removeTemporaryFiles, writeFileAtomic } from '../lib/formats/files/atomic-file.js';
import { ifWhole, readDocument } from '../lib/formats/files/json-document.js';
import { isAbsent, readTextFile, sha256OfFile, unreadableFile } from '../lib/formats/files/read-file.js';
import { filesOf, type Manifest, readManifest } from '../lib/formats/manifest.js';
import { isSplitBy, type SplitWanted } from '../lib/formats/same-split.js';
import { clientTestName, SPLIT_MARK } from '../lib/formats/volume.js';
import type { SplitPart } from './held-out.js';

export const MANIFEST_NAME = 'manifest.json';
export const TEST_NAME = 'test.npz';

/** Name of client k's shard. */
export const shardName = (client: number) => `${client}.npz`;

const SHARD = /^\d+\.npz$/;
const OUTPUT = /^(\d+(-test)?\.npz|(test|train|partition)\.npz|manifest\.json)$/;

/** What a finished split must have been made of and by to be taken for the one that is asked for. */
interface SplitKey extends SplitWanted {
  readonly datasetSha256: () => Promise<string>;
  readonly testFraction: number;
}

/** The manifest of a finished, intact split in `savedir` made with the same settings; else undefined. @throws {DataError} as `ifWhole` does */
export async function findFinished(savedir: string, key: SplitKey): Promise<Manifest | undefined> {
  const manifest = await manifestIn(savedir);
  if (manifest === undefined || !sameSplit(manifest, { ...key, datasetSha256: await key.datasetSha256() }))
    return undefined;
  const shards = (await listNames(savedir)).filter((name) => SHARD.test(name));
  if (shards.length !== manifest.shards.length) return undefined;
  for (const part of filesOf(manifest)) {
    const found = await ifWhole(sha256OfFile(join(savedir, part.file), 'a shard'));
    if (found !== part.sha256) return undefined;
  }
  return manifest;
}

function sameSplit(
  manifest: Manifest,
  key: Omit<SplitKey, 'datasetSha256'> & { readonly datasetSha256: string },
): boolean {
  const { sha256, testFraction } = manifest.dataset;
  return (
    sha256 === key.datasetSha256 &&
    (testFraction === null || testFraction === key.testFraction) &&
    isSplitBy(manifest, key)
  );
}

/** A split that is at work in its directory. */
interface BegunSplit {
  /** Where another attempt has ended the same split meanwhile: nothing is to be written. */
  readonly finished: Manifest | undefined;
  /** Shards of an earlier split that were removed. */
  readonly removed: number;
  /** Passes as long as no other split has begun there. @throws {StageError} once one has */
  requireOwn(): Promise<void>;
  /** Takes the mark away: the manifest alone vouches for the files from now on. @throws {StorageError} when the disk refuses */
  end(): Promise<void>;
  /** Removes what it has made so far, since it failed. @throws {StorageError} when a file cannot be removed */
  abandon(): Promise<void>;
}

interface SplitFiles {
  readonly shards: readonly Pick<SplitPart, 'heldOut'>[];
  readonly virtual: boolean;
  /** Looks for the split that is asked for. */
  readonly find: () => Promise<Manifest | undefined>;
}

/**
 * Makes room for a split: marks the directory as being at work, then removes what an earlier split left (it may have had
 * more clients). Of several that are at work there the one that began last goes on, and the others write nothing more
 * ({@link writeWhile} says why that is certain): no two of them mix their files. A lock would do too, but one of a pod
 * that was killed stays until somebody removes it.
 *
 * @throws {UsageError} when a file lies there that the split would replace and that no split made
 * @throws {DataError} when the system refuses to read what vouches for the files there
 * @throws {StorageError} when a file cannot be written or removed
 */
export async function beginSplit(
  savedir: string,
  { shards, virtual, find }: SplitFiles,
): Promise<BegunSplit> {
  // In this order: whoever is at work marks the directory before its first file.
  const before = await listNames(savedir);
  const own = await ownNames(savedir);
  const foreign = before.find((name) => OUTPUT.test(name) && !own.has(name));
  if (foreign !== undefined) {
    throw new UsageError(
      `${join(savedir, foreign)} was not made by a split that is known here, and would be lost: ` +
        'choose an empty or new directory with --out.',
    );
  }
  const coming = virtual
    ? [TRAIN_NAME, PARTITION_NAME]
    : shards.flatMap(({ heldOut }, client) => [
        shardName(client),
        ...(heldOut === undefined ? [] : [clientTestName(client)]),
      ]);
  const files = [...new Set([...own, ...coming, TEST_NAME, MANIFEST_NAME])];
  const marker = join(savedir, SPLIT_MARK);
  const mark = `${JSON.stringify({ files, nonce: randomBytes(16).toString('hex') })}\n`;
  // Another one that begins at this instant removes the mark's temporary file too.
  await writeFileAtomic(marker, mark).catch(() => writeFileAtomic(marker, mark));
  await removeTemporaryFiles(savedir);
  const isOwn = async () => {
    try {
      return (await readTextFile(marker, 'the mark of a split at work')) === mark;
    } catch (error) {
      if (await isAbsent(marker)) return false;
      throw error;
    }
  };
  const end = async () => {
    if (await isOwn()) await endSplit(savedir);
  };
  const split = {
    end,
    async requireOwn() {
      if (await isOwn()) return;
      throw new StageError(savedir, 'another split has begun there since, and this one writes nothing more.');
    },
    async abandon() {
      if (!(await isOwn())) return;
      const names = (await listNames(savedir)).filter((name) => files.includes(name));
      await removeOutputs(savedir, names);
      await removeTemporaryFiles(savedir);
      await end();
    },
  };
  // One that was at work until now can write nothing more: what lies there stays as it is.
  const finished = await find();
  if (finished !== undefined) return { ...split, finished, removed: 0 };
  const present = (await listNames(savedir)).filter((name) => files.includes(name));
  await removeOutputs(savedir, present);
  return { ...split, finished, removed: present.filter((name) => SHARD.test(name)).length };
}

/** Takes a mark away that a split has left. @throws {StorageError} when the disk refuses */
export async function endSplit(savedir: string): Promise<void> {
  await remove(join(savedir, SPLIT_MARK));
}

/** @throws {UsageError} when the dataset itself is a file that clearing or writing the outputs would destroy. */
export async function refuseOwnOutput(data: string, savedir: string): Promise<void> {
  const [source, target] = await Promise.all([realPlace(data), realPlace(savedir)]);
  if (source !== undefined && source === target) {
    throw new UsageError(`${data}: expected --out to be another directory than that of the given shards.`);
  }
  if (source === undefined || dirname(source) !== target || !OUTPUT.test(basename(source))) return;
  throw new UsageError(
    `${data}: expected a dataset outside of --out, found one that the split would overwrite (${basename(source)}).`,
  );
}

/** Where a path leads; undefined where nothing lies. */
async function realPlace(path: string): Promise<string | undefined> {
  try {
    return await realpath(path);
  } catch (cause) {
    if (await isAbsent(path)) return undefined;
    throw unreadableFile(path, 'a file or directory', cause);
  }
}

/** The names for which a split's manifest or mark vouches; a name that no split gives is never among them. */
async function ownNames(savedir: string): Promise<ReadonlySet<string>> {
  // The mark first: it goes when the manifest lies there.
  const marked = await markedNames(savedir);
  const manifest = await manifestIn(savedir);
  const listed = manifest === undefined ? [] : [MANIFEST_NAME, ...filesOf(manifest).map(({ file }) => file)];
  return new Set([...listed, ...marked].filter((name) => OUTPUT.test(name)));
}

const markSchema = z.object({ files: z.array(z.string()) });

/** What a mark vouches for: nothing where there is none, or none of ours. */
async function markedNames(savedir: string): Promise<readonly string[]> {
  const file = join(savedir, SPLIT_MARK);
  const mark = readDocument({ file, schema: markSchema, expected: 'the mark of a split at work' });
  return (await ifWhole(mark))?.files ?? [];
}

function manifestIn(savedir: string): Promise<Manifest | undefined> {
  return ifWhole(readManifest(join(savedir, MANIFEST_NAME)));
}

/** The manifest goes first, so that what a kill leaves is never taken for whole. */
async function removeOutputs(savedir: string, names: readonly string[]): Promise<void> {
  const order = names.toSorted((a, b) => Number(b === MANIFEST_NAME) - Number(a === MANIFEST_NAME));
  for (const name of order) await remove(join(savedir, name));
}

async function listNames(directory: string): Promise<readonly string[]> {
  try {
    return await readdir(directory);
  } catch (cause) {
    if (errorCode(cause) === 'ENOENT') return [];
    throw new StorageError(directory, `could not be listed: ${systemReason(cause)}.`, { cause });
  }
}

async function remove(path: string): Promise<void> {
  try {
    await rm(path, { force: true });
  } catch (cause) {
    throw new StorageError(path, `could not be removed: ${systemReason(cause)}.`, { cause });
  }
}
