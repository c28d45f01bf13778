/** The files of a split in its directory: their names, whether they are whole, and how old ones are cleared away. */
import { readdir, realpath, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { StorageError, UsageError } from '../lib/federation/errors.js';
import { errorCode, removeTemporaryFiles, sha256OfFile } from '../lib/formats/atomic-file.js';
import { type Manifest, readManifest } from '../lib/formats/manifest.js';

export const MANIFEST_NAME = 'manifest.json';
export const TEST_NAME = 'test.npz';

/** Name of client k's shard. */
export const shardName = (client: number) => `${client}.npz`;

const SHARD = /^\d+\.npz$/;
const OUTPUT = /^(\d+\.npz|test\.npz|manifest\.json)$/;

/** The settings that a finished split must share to be taken for the one that is asked for. */
export interface SplitKey {
  readonly datasetSha256: string;
  readonly clients: number;
  readonly scheme: string;
  readonly seed: number;
  readonly testFraction: number;
}

/** The manifest of a finished, intact split in `savedir` made with the same settings; else undefined. */
export async function findFinished(savedir: string, key: SplitKey): Promise<Manifest | undefined> {
  const manifest = await readManifest(join(savedir, MANIFEST_NAME)).catch(() => undefined);
  if (manifest === undefined || !sameSplit(manifest, key)) return undefined;
  const shards = (await listNames(savedir)).filter((name) => SHARD.test(name));
  if (shards.length !== manifest.shards.length) return undefined;
  for (const part of [...manifest.shards, manifest.test]) {
    const found = await sha256OfFile(join(savedir, part.file), 'a shard').catch(() => undefined);
    if (found !== part.sha256) return undefined;
  }
  return manifest;
}

function sameSplit({ dataset, partition, shards }: Manifest, key: SplitKey): boolean {
  return (
    dataset.sha256 === key.datasetSha256 &&
    shards.length === key.clients &&
    partition.scheme === key.scheme &&
    partition.seed === key.seed &&
    (dataset.testFraction === null || dataset.testFraction === key.testFraction)
  );
}

/**
 * Removes what an earlier split left: its manifest first, so that what a kill leaves is never taken for whole, then
 * all shards (an earlier split with more clients leaves more) and temporary files.
 *
 * @returns the number of shards removed
 * @throws {StorageError} when a file cannot be removed.
 */
export async function clearOutputs(savedir: string): Promise<number> {
  const names = await listNames(savedir);
  const stale = names.filter((name) => OUTPUT.test(name));
  stale.sort((a, b) => Number(b === MANIFEST_NAME) - Number(a === MANIFEST_NAME));
  for (const name of stale) await remove(join(savedir, name));
  await removeTemporaryFiles(savedir);
  return stale.filter((name) => SHARD.test(name)).length;
}

/** @throws {UsageError} when the dataset itself is a file that clearing or writing the outputs would destroy. */
export async function refuseOwnOutput(data: string, savedir: string): Promise<void> {
  const [source, target] = await Promise.all([realpath(data), realpath(savedir)]).catch(() => ['', '']);
  if (!source || dirname(source) !== target || !OUTPUT.test(basename(source))) return;
  throw new UsageError(
    `${data}: expected a dataset outside of --savedir, found one that the split would overwrite (${basename(source)}).`,
  );
}

async function listNames(directory: string): Promise<readonly string[]> {
  try {
    return await readdir(directory);
  } catch (cause) {
    if (errorCode(cause) === 'ENOENT') return [];
    const reason = errorCode(cause) === 'ENOTDIR' ? 'it is a file, not a directory' : errorCode(cause);
    throw new StorageError(directory, `could not be listed: ${reason}.`, { cause });
  }
}

async function remove(path: string): Promise<void> {
  try {
    await rm(path, { force: true });
  } catch (cause) {
    throw new StorageError(path, `could not be removed: ${errorCode(cause)}.`, { cause });
  }
}
