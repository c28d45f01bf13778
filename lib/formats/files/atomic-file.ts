/**
 * Atomic writes: a reader sees the old file or folder or the new one, never a part.
 *
 * Two writers of the same bytes do no harm: each has a temporary name of its own, and the later rename changes nothing.
 * Where bytes may differ, whoever comes second must keep the first one from writing, even one that was halted for hours
 * between any two steps. {@link writeWhile} and {@link removeTemporaryFiles} do that together. A writer makes its temporary
 * file, then checks that its place is still its own, then renames. A successor takes the place (the lock of a volume, the
 * mark of a split), then removes all temporary files, and only then reads what lies there. If the check came after the
 * place was taken, it fails. If it came before, the temporary file is older than the successor's removal of such files:
 * the rename came before it, and the successor sees the file as if it had always been there, or finds nothing to rename.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import { randomBytes } from 'node:crypto';
import { type FileHandle, link, mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { isFedbatchError, StorageError } from '../../core/errors.js';
import { errorCode, systemReason } from '../../core/system-errors.js';
import { isAbsent, readFileBytes, sha256 } from './read-file.js';

/** Starts the name of every file that is still being written; readers of a directory pass over it. */
export const TEMPORARY_PREFIX = '.tmp-';

/** So much of a file's name stands in its temporary one: the longest that a file system allows has no room for more. */
const KEPT_CHARACTERS = 64;

/** What has to hold for a file to appear. */
const fence = new AsyncLocalStorage<() => Promise<void>>();

/** Does `work`, whose files appear only as long as `check` passes: where it throws, nothing appears, and the write fails so. */
export function writeWhile<T>(check: () => Promise<void>, work: () => Promise<T>): Promise<T> {
  return fence.run(check, work);
}

/** Passes as long as whoever is at work may still write: for what no rename makes appear. @throws what its check throws */
export async function requirePlace(): Promise<void> {
  await fence.getStore()?.();
}

/** Who may read a file: the permission bits; those of the process's umask unless told. */
interface WriteOptions {
  readonly mode?: number;
}

/**
 * Writes `bytes` under a temporary name in the same directory, syncs file and directory, and renames.
 * Missing directories are made.
 *
 * @throws {StorageError} when the disk is full, read-only, or refuses in another way; nothing is left behind.
 */
export async function writeFileAtomic(
  path: string,
  bytes: Uint8Array | string,
  options?: WriteOptions,
): Promise<void> {
  await writeThen(rename, { path, write: (file) => file.writeFile(bytes), ...options });
}

/**
 * The same for a file that is written piece by piece; `write` may write at any place of it.
 *
 * @throws {StorageError} as above; what `write` throws of its own
 */
export async function writeFileAtomicBy(
  path: string,
  write: (file: FileHandle) => Promise<void>,
): Promise<void> {
  await writeThen(rename, { path, write });
}

/** What is written, and where. */
interface Writing extends WriteOptions {
  readonly path: string;
  readonly write: (file: FileHandle) => Promise<void>;
}

/**
 * Writes a file under a temporary name beside its own, and has `place` make it appear.
 *
 * @throws {StorageError} as above; what `write` and `place` throw of their own
 */
export async function writeThen(
  place: (temporary: string, path: string) => Promise<void>,
  { path, write, mode }: Writing,
): Promise<void> {
  const directory = dirname(path);
  const temporary = temporaryName(path);
  try {
    await makeDirectory(directory);
    const file = await open(temporary, 'wx+', mode);
    try {
      await write(file);
      await file.sync();
    } finally {
      // On NFS a full disk is reported here, not by the write.
      await file.close();
    }
    await requirePlace();
    await place(temporary, path);
    await syncDirectory(directory);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    // Whoever has taken the place has removed the temporary file.
    if (errorCode(error) === 'ENOENT') await requirePlace();
    throw errorCode(error) === '' ? error : storageError(path, error);
  }
}

/**
 * Makes the file `from` appear at `to` as well: by a hard link where the file system has them, else by a copy.
 * A reader of `to` sees the old file or the new one.
 *
 * @throws {DataError} when `from` cannot be read
 * @throws {StorageError} when `to` cannot be written
 */
export async function placeFileAtomic(from: string, to: string): Promise<void> {
  const temporary = temporaryName(to);
  try {
    await makeDirectory(dirname(to));
    await link(from, temporary);
    await requirePlace();
    await rename(temporary, to);
    await syncDirectory(dirname(to));
  } catch {
    await writeFileAtomic(to, await readFileBytes(from, 'a file to copy'));
  } finally {
    // Renaming one link of a file over another one of the same file does nothing, and leaves both.
    await rm(temporary, { force: true }).catch(() => undefined);
  }
}

/**
 * Makes a folder that `fill` has filled under a temporary name beside it; an earlier one goes. One folder cannot take
 * another's place in one step: a writer that is killed between the two leaves the earlier one under a name that no sweep
 * removes, and the next writer puts it back first.
 *
 * @throws {StorageError} when the disk refuses; nothing is left behind, and an earlier folder stays.
 */
export async function writeFolderAtomic(
  path: string,
  fill: (temporary: string) => Promise<void>,
): Promise<void> {
  const temporary = temporaryName(path);
  try {
    await makeDirectory(dirname(path));
    await settleEarlier(path);
    await mkdir(temporary);
    await fill(temporary);
    await syncDirectory(temporary);
    await requirePlace();
    await renameIfThere(path, earlierName(path));
    try {
      await rename(temporary, path);
      await syncDirectory(dirname(path));
    } finally {
      await settleEarlier(path);
    }
  } catch (error) {
    await rm(temporary, { recursive: true, force: true }).catch(() => undefined);
    throw isFedbatchError(error) ? error : storageError(path, error);
  }
}

/** An earlier folder that had to make room is put back where none has come in its place, else it goes. */
async function settleEarlier(path: string): Promise<void> {
  const isBack = await isAbsent(path);
  // By another name before the first of its files is removed: what is left of it then is nothing to put back.
  const to = isBack ? path : temporaryName(path);
  const isMoved = await renameIfThere(earlierName(path), to);
  if (isMoved && !isBack) await rm(to, { recursive: true, force: true });
}

/** Where a folder lies while another one takes its place. */
function earlierName(path: string): string {
  const name = basename(path);
  const kept = name.slice(0, KEPT_CHARACTERS);
  return join(dirname(path), `.earlier-${kept}-${sha256(name).slice(0, 8)}`);
}

/** Whether it was there. */
async function renameIfThere(from: string, to: string): Promise<boolean> {
  try {
    await rename(from, to);
    return true;
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return false;
    throw error;
  }
}

/**
 * Makes a directory and those above it. Node's own recursive mkdir never returns where a parent exists but takes no
 * entries and says ENOENT (under /proc, in a directory that was deleted): this one tries each directory once.
 */
export async function makeDirectory(path: string): Promise<void> {
  try {
    await mkdir(path);
  } catch (error) {
    const code = errorCode(error);
    if (code === 'EEXIST' && (await stat(path)).isDirectory()) return;
    if (code !== 'ENOENT' || dirname(path) === path) throw error;
    await makeDirectory(dirname(path));
    await mkdir(path).catch((again: unknown) => {
      if (errorCode(again) !== 'EEXIST') throw again;
    });
  }
}

/**
 * Removes what a killed writer left in `directory`, and keeps one that lost its place from placing what it was writing; call
 * it only where no other writer is to go on.
 *
 * @throws {StorageError}
 */
export async function removeTemporaryFiles(directory: string): Promise<void> {
  const names = await readdir(directory).catch(() => []);
  const left = names.filter((name) => name.startsWith(TEMPORARY_PREFIX));
  for (const name of left) {
    await rm(join(directory, name), { recursive: true, force: true }).catch((error: unknown) => {
      throw storageError(join(directory, name), error);
    });
  }
}

/**
 * Removes a file, if it is there. What has become a directory is not the writer's, and stays.
 *
 * @throws {StorageError} when the disk refuses
 */
export async function removeFile(path: string): Promise<void> {
  try {
    await rm(path, { force: true });
  } catch (error) {
    if (errorCode(error) !== 'ERR_FS_EISDIR') throw storageError(path, error);
  }
}

/** A name beside `path` that readers of its directory pass over. */
export function temporaryName(path: string): string {
  const kept = basename(path).slice(0, KEPT_CHARACTERS);
  return join(dirname(path), `${TEMPORARY_PREFIX}${kept}-${randomBytes(4).toString('hex')}`);
}

async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r');
  try {
    await handle.sync();
  } catch (error) {
    // Some file systems cannot sync a directory; the rename itself has happened.
    if (!['EINVAL', 'ENOTSUP', 'EISDIR', 'EPERM'].includes(errorCode(error))) throw error;
  } finally {
    await handle.close();
  }
}

/** What a failed write of `path` means to a user. */
export function storageError(path: string, cause: unknown): StorageError {
  return new StorageError(path, `could not be written: ${systemReason(cause)}.`, { cause });
}
