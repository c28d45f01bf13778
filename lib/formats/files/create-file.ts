/** A file that is made once: of several that try at the same time one succeeds. */
import { link, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { UsageError } from '../../core/errors.js';
import { errorCode } from '../../core/system-errors.js';
import { TEMPORARY_PREFIX, writeThen } from './atomic-file.js';
import { takeLock } from './lock-file.js';
import { exists } from './read-file.js';

/** So often whoever makes the file is waited for, who has it for a moment. */
const ATTEMPTS = 500;
const PAUSE_MS = 10;

/**
 * Writes a file as `writeFileAtomic` does, unless it is there already: of several that try at once one succeeds, and the
 * others get false.
 *
 * @throws {StorageError} as `writeFileAtomic`
 */
export async function createFileAtomic(
  path: string,
  bytes: Uint8Array | string,
  mode: number,
): Promise<boolean> {
  let isMade = false;
  const place = async (temporary: string) => {
    isMade = await placeNew(temporary, path);
    if (!isMade) await rm(temporary);
  };
  await writeThen(place, { path, write: (file) => file.writeFile(bytes), mode });
  return isMade;
}

/** Gives a file a name that nobody has; false where somebody has it. */
async function placeNew(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
  } catch (error) {
    return errorCode(error) === 'EEXIST' ? false : await renameAlone(from, to);
  }
  await rm(from);
  return true;
}

/** The same without hard links: a rename asks for nobody's leave, so that one process at a time may do it. */
async function renameAlone(from: string, to: string): Promise<boolean> {
  const lockFile = join(dirname(to), `${TEMPORARY_PREFIX}${basename(to)}.lock`);
  for (let left = ATTEMPTS; !(await exists(to)); left--) {
    try {
      const lock = await takeLock(lockFile, { what: to, user: 'process' });
      try {
        if (await exists(to)) break;
        await rename(from, to);
        return true;
      } finally {
        lock.release();
      }
    } catch (error) {
      if (!(error instanceof UsageError) || left === 0) throw error;
    }
    await sleep(PAUSE_MS);
  }
  return false;
}
