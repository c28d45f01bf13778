/** Whole-file reads and atomic writes: a reader sees the old file or the new one, never a part. */
import { createHash, randomBytes } from 'node:crypto';
import { mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { DataError, StorageError } from '../federation/errors.js';

/** Starts the name of every file that is still being written; readers of a directory pass over it. */
export const TEMPORARY_PREFIX = '.tmp-';

/**
 * Writes `bytes` under a temporary name in the same directory, syncs file and directory, and renames.
 * Missing directories are made.
 *
 * @throws {StorageError} when the disk is full, read-only, or refuses in another way; nothing is left behind.
 */
export async function writeFileAtomic(path: string, bytes: Uint8Array | string): Promise<void> {
  const directory = dirname(path);
  const temporary = join(directory, `${TEMPORARY_PREFIX}${basename(path)}-${randomBytes(4).toString('hex')}`);
  try {
    await mkdir(directory, { recursive: true });
    const file = await open(temporary, 'wx');
    try {
      await file.writeFile(bytes);
      await file.sync();
    } finally {
      // On NFS a full disk is reported here, not by the write.
      await file.close();
    }
    await rename(temporary, path);
    await syncDirectory(directory);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw storageError(path, error);
  }
}

/** Reads a whole file. @throws {DataError} when it is missing, a directory, or unreadable. */
export async function readFileBytes(path: string, what: string): Promise<Uint8Array> {
  try {
    return await readFile(path);
  } catch (error) {
    throw unreadable(path, what, error);
  }
}

/** sha256 of some bytes, as 64 lower-case hexadecimal digits. */
export function sha256(bytes: Uint8Array | string): string {
  return createHash('sha256').update(bytes).digest('hex');
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

const STORAGE_FAULTS: Readonly<Record<string, string>> = {
  ENOSPC: 'the disk is full',
  EDQUOT: 'the disk quota is used up',
  EFBIG: 'the file would exceed the size limit of this process or file system',
  EROFS: 'the file system is read-only',
  EACCES: 'permission denied',
  EPERM: 'the operation is not permitted',
  ENOTDIR: 'a part of the path is a file, not a directory',
  EISDIR: 'the path is a directory',
};

function storageError(path: string, cause: unknown): StorageError {
  const code = errorCode(cause);
  const reason = STORAGE_FAULTS[code] ?? (cause instanceof Error ? cause.message : String(cause));
  return new StorageError(path, `could not be written: ${reason}${code ? ` (${code})` : ''}.`, { cause });
}

function unreadable(path: string, what: string, cause: unknown): DataError {
  const code = errorCode(cause);
  const found =
    code === 'ENOENT'
      ? 'no such file'
      : code === 'EISDIR'
        ? 'a directory'
        : `a file that cannot be read (${code})`;
  return new DataError({ file: path, expected: what, found }, { cause });
}

/** The `code` of a Node system error, or an empty string. */
export function errorCode(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
}
