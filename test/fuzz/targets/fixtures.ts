/** Files of the house that targets begin with. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { projectRoot } from '../../sources.js';

/** Larger ones would make of most of the time reading and of the corpus a burden. */
const MOST_BYTES = 32_768;

/** The contents of the files of a folder whose names match, the small ones. */
export async function filesOf(
  folder: string,
  names: RegExp,
  mostBytes = MOST_BYTES,
): Promise<readonly Uint8Array[]> {
  const all = (await readdir(join(projectRoot, folder))).filter((name) => names.test(name)).sort();
  const files = await Promise.all(all.map((name) => readFile(join(projectRoot, folder, name))));
  return files.filter(({ length }) => length <= mostBytes);
}
