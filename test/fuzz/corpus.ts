/** What is kept: inputs that reach code which no other reaches, a zip for each target; and those that failed once. */
import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openZip } from '../../lib/formats/data/zip.js';
import { buildZip } from '../hostile-files.js';
import { projectRoot } from '../sources.js';

/** Where it lies. */
const CORPUS = join(projectRoot, 'test/fuzz/corpus');
/** Inputs that failed once, `<target>-<what was wrong>`. */
const REGRESSIONS = join(projectRoot, 'test/fuzz/regressions');

/** The kept inputs of a target; none where nothing was kept yet. */
export async function readCorpus(target: string): Promise<readonly Uint8Array[]> {
  const file = join(CORPUS, `${target}.zip`);
  const bytes = await readFile(file).catch(() => undefined);
  if (bytes === undefined) return [];
  const zip = await openZip(bytes, { file, expected: 'a corpus', kind: 'input', stored: 'the campaign' });
  return zip.names.map((name) => zip.read(name));
}

/** Replaces the kept inputs of a target. */
export async function writeCorpus(target: string, inputs: readonly Uint8Array[]): Promise<void> {
  await mkdir(CORPUS, { recursive: true });
  const entries = inputs
    .map((data) => ({ name: nameOf(data), data }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  await writeFile(join(CORPUS, `${target}.zip`), buildZip(entries));
}

/** What an input is called: by what is in it. */
export const nameOf = (input: Uint8Array): string =>
  createHash('sha256').update(input).digest('hex').slice(0, 16);

/** An input that failed once. */
export interface Regression {
  readonly name: string;
  readonly target: string;
  readonly input: Uint8Array;
}

/** All of them that are read within milliseconds, or the others. */
export async function readRegressions(kind: 'quick' | 'slow'): Promise<readonly Regression[]> {
  const folder = join(REGRESSIONS, kind);
  const names = (await readdir(folder)).sort();
  return Promise.all(
    names.map(async (name) => ({
      name,
      target: name.split('-')[0] ?? '',
      input: await readFile(join(folder, name)),
    })),
  );
}

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
