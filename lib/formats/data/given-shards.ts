/** A dataset that is split already: a directory of 0.npz … K-1.npz and, if it brings one, test.npz. */
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { DataError } from '../../core/errors.js';
import { errorCode, sha256, sha256OfFile } from '../files/read-file.js';
import { foreignDirectory } from './foreign-data.js';

/** The files of such a dataset. */
interface GivenShards {
  /** Element k is the path of client k's shard. */
  readonly shards: readonly string[];
  readonly test?: string;
}

/** Whether `path` is a directory; false where nothing is. */
export async function isDirectory(path: string): Promise<boolean> {
  return await stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
}

/**
 * Lists the shards in a directory.
 *
 * @throws {DataError} when it is no directory, has no shards, lacks one below the highest number, or holds an npz of
 *   another name, which might be a client's too
 */
export async function listGivenShards(directory: string): Promise<GivenShards> {
  const expected = 'a directory of shards 0.npz, 1.npz, … and, optionally, test.npz';
  const fault = (found: string, cause?: unknown) =>
    new DataError({ file: directory, expected, found }, { cause });
  const names = await readdir(directory).catch((cause: unknown) => {
    const found: Readonly<Record<string, string>> = { ENOENT: 'nothing there', ENOTDIR: 'a file' };
    throw fault(found[errorCode(cause)] ?? `${errorCode(cause)}`, cause);
  });
  const npz = names.filter((name) => name.endsWith('.npz') && !name.startsWith('.') && name !== 'test.npz');
  const foreign = npz.find((name) => !/^(0|[1-9]\d*)\.npz$/.test(name));
  if (foreign !== undefined) throw fault(`${foreign} among them`);
  if (npz.length === 0) {
    throw new DataError({ file: directory, expected, found: 'none', ...(await foreignDirectory(directory)) });
  }
  const missing = npz.findIndex((_, client) => !npz.includes(`${client}.npz`));
  if (missing >= 0) throw fault(`${npz.length} of them without ${missing}.npz`);
  const shards = npz.map((_, client) => join(directory, `${client}.npz`));
  return names.includes('test.npz') ? { shards, test: join(directory, 'test.npz') } : { shards };
}

/** sha256 (hex) of all shards in a directory. @throws {DataError} when something is missing or cannot be read */
export async function sha256OfShards(directory: string): Promise<string> {
  const { shards, test } = await listGivenShards(directory);
  const hashes: string[] = [];
  for (const file of [...shards, ...(test === undefined ? [] : [test])]) {
    hashes.push(await sha256OfFile(file, 'a shard (npz)'));
  }
  return sha256(JSON.stringify({ shards: hashes.slice(0, shards.length), test: hashes[shards.length] }));
}
