/**
 * Names that are missing on NFS. A client remembers for half a minute or longer that a name was not there, and what a
 * directory listed: what another machine has put there meanwhile it does not see. A program that needs a file has its
 * client ask the server before it believes that there is none.
 */
import { open, rm, statfs } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { temporaryName } from './atomic-file.js';
import { exists } from './read-file.js';

/** The type of an NFS mount, as statfs(2) tells it. */
const NFS = 0x6969;

/**
 * Has this machine's NFS client ask the server what lies in a directory, or in the nearest one above it that is there: a
 * file that it makes there changes the directory, and what it remembered of it counts no longer. False, and nothing is
 * done, on other file systems and where nothing can be written.
 */
export async function askFileServer(directory: string): Promise<boolean> {
  let place = resolve(directory);
  while (!(await exists(place)) && dirname(place) !== place) place = dirname(place);
  try {
    if ((await statfs(place)).type !== NFS) return false;
    const asking = temporaryName(join(place, 'asking'));
    await (await open(asking, 'wx')).close();
    await rm(asking, { force: true });
    return true;
  } catch {
    return false;
  }
}

/** Whether something lies at `path`: where a wrong no would do harm. */
export async function isThere(path: string): Promise<boolean> {
  return (await exists(path)) || (await appears(path));
}

/** Whether a file that was missed is there after all, now that the server has been asked. */
export async function appears(path: string): Promise<boolean> {
  return (await askFileServer(dirname(resolve(path)))) && (await exists(path));
}
