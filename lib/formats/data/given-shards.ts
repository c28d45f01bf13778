/** A dataset that is split already: a directory of 0.npz … K-1.npz and, if it brings one, test.npz. */
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { DataError } from '../../core/errors.js';
import { errorCode, systemReason } from '../../core/system-errors.js';
import { sha256, sha256OfFile } from '../files/read-file.js';
import { clientTestName } from '../volume.js';
import { foreignDirectory } from './foreign-data.js';

/** The files of such a dataset. */
interface GivenShards {
  /** Element k is the path of client k's shard. */
  readonly shards: readonly string[];
  /** Element k is the path of what client k holds out, where it brings that. */
  readonly heldOut: readonly (string | undefined)[];
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
 * Lists the shards in a directory, each with what its client holds out (`k-test.npz`).
 *
 * @throws {DataError} when it is no directory, has no shards, lacks one below the highest number, or holds an npz of
 *   another name, which might be a client's too
 */
export async function listGivenShards(directory: string): Promise<GivenShards> {
  const expected =
    'a directory of shards 0.npz, 1.npz, … and, optionally, test.npz, 0-test.npz, 1-test.npz, …';
  const fault = (found: string, cause?: unknown) =>
    new DataError({ file: directory, expected, found }, { cause });
  const names = await readdir(directory).catch((cause: unknown) => {
    const found: Readonly<Record<string, string>> = { ENOENT: 'nothing there', ENOTDIR: 'a file' };
    throw fault(found[errorCode(cause)] ?? systemReason(cause), cause);
  });
  const npz = names.filter((name) => name.endsWith('.npz') && !name.startsWith('.') && name !== 'test.npz');
  const numbered = npz.filter((name) => /^(0|[1-9]\d*)\.npz$/.test(name));
  const tests = numbered.map((_, client) => clientTestName(client));
  const foreign = npz.find((name) => !numbered.includes(name) && !tests.includes(name));
  if (foreign !== undefined) throw fault(`${foreign} among them`);
  if (numbered.length === 0) {
    throw new DataError({ file: directory, expected, found: 'none', ...(await foreignDirectory(directory)) });
  }
  const missing = numbered.findIndex((_, client) => !numbered.includes(`${client}.npz`));
  if (missing >= 0) throw fault(`${numbered.length} of them without ${missing}.npz`);
  return {
    shards: numbered.map((_, client) => join(directory, `${client}.npz`)),
    heldOut: tests.map((name) => (npz.includes(name) ? join(directory, name) : undefined)),
    ...(names.includes('test.npz') ? { test: join(directory, 'test.npz') } : {}),
  };
}

/** sha256 (hex) of all shards in a directory. @throws {DataError} when something is missing or cannot be read */
export async function sha256OfShards(directory: string): Promise<string> {
  const { shards, heldOut, test } = await listGivenShards(directory);
  const hashOf = async (file: string | undefined) =>
    file === undefined ? undefined : await sha256OfFile(file, 'a shard (npz)');
  const hashes: (string | undefined)[] = [];
  for (const file of shards) hashes.push(await hashOf(file));
  const hashOfTest = await hashOf(test);
  const ofHeldOut: (string | undefined)[] = [];
  for (const file of heldOut) ofHeldOut.push(await hashOf(file));
  // Directories without such files keep the hash that they had.
  const more = ofHeldOut.some((hash) => hash !== undefined) ? { heldOut: ofHeldOut } : {};
  return sha256(JSON.stringify({ shards: hashes, test: hashOfTest, ...more }));
}
