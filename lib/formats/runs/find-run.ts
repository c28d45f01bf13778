/**
 * The id of a run, the runs below a folder, those that words mean, and their models: by `run.json` alone, so that many
 * are found quickly.
 */
import { readdir, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { DataError, UsageError } from '../../core/errors.js';
import { errorCode } from '../../core/system-errors.js';
import { flatSettings } from '../../settings/differences.js';
import type { RunSettings } from '../../settings/table.js';
import { exists, sha256 } from '../files/read-file.js';
import { type RunRecord, readRunRecord } from '../run-record.js';
import { LATEST, RUNS, repeatedPaths, volumePaths } from '../volume.js';

/** Folders below each other that are looked into: a sweep's trials lie two below the folder of sweeps. */
const MOST_DEPTH = 4;

/** A run that was found. */
export interface FoundRun {
  /** Directory of the run. */
  readonly volume: string;
  readonly run: RunRecord;
}

/** Where to look, and who is told of what is damaged. */
export interface FindOptions {
  readonly folder?: string | undefined;
  readonly warn: (message: string) => void;
  /** Whether the volume of a run that is repeated with several seeds is meant, too. */
  readonly takesSeeds?: boolean;
}

/**
 * The runs below a folder, the newest first; a damaged one is told of and left out.
 *
 * @throws {DataError} where there is no such folder
 */
export async function runsBelow({ folder = RUNS, warn }: FindOptions): Promise<readonly FoundRun[]> {
  const runs: FoundRun[] = [];
  for (const volume of await volumesBelow(folder)) {
    try {
      runs.push({ volume, run: await readRunRecord(volumePaths(volume).run) });
    } catch (error) {
      if (!(error instanceof DataError)) throw error;
      warn(`left out: ${error.message}`);
    }
  }
  return runs.sort((a, b) => (a.run.createdAt < b.run.createdAt ? 1 : -1));
}

/**
 * The volume of the run that a word means: a volume; the name or the id of a run below the folder, or the beginning of
 * one of them; or `latest`, the one that was begun last.
 *
 * @throws {UsageError} where it means none or several of them
 */
export async function findVolume(word: string, options: FindOptions): Promise<string> {
  const { run, metrics } = volumePaths(word);
  if ((await exists(run)) || (await exists(metrics))) return word;
  const { folder = RUNS, takesSeeds = false } = options;
  if (takesSeeds && (await exists(repeatedPaths(word).record))) return word;
  const runs = await runsBelow(options).catch((error: unknown) => {
    // Without a folder of runs a word means none of them.
    if (error instanceof DataError && options.folder === undefined) return [];
    throw error;
  });
  const exact = runs.filter(({ run: { name, id } }) => name === word || id === word);
  const begins = () =>
    runs.filter(({ run: { name = '', id } }) => name.startsWith(word) || id.startsWith(word));
  const found = exact.length > 0 ? exact : word === LATEST ? runs.slice(0, 1) : begins();
  const [first] = found;
  if (first !== undefined && found.length === 1) return first.volume;
  if (word === LATEST) throw new UsageError(`There is no run below ${folder}: name the volume of one.`);
  if (found.length === 0) await refuseOtherFolder(word);
  const what = found.length === 0 ? 'is no run' : `is the name of ${found.length} runs`;
  const others = found.length === 0 ? runs : found;
  const known = others
    .slice(0, 5)
    .map(({ volume, run: { name, id } }) => (found.length === 0 ? (name ?? id) : volume));
  throw new UsageError(
    `${word} ${what}: expected the volume of a run, its name or id, the beginning of one, or ${LATEST}` +
      `${known.length === 0 ? `; there is no run below ${folder}` : ` (${known.join(', ')}${others.length > known.length ? ', …' : ''})`}.`,
  );
}

/** @throws {UsageError} for a folder that is there, by what lies in it */
async function refuseOtherFolder(folder: string): Promise<void> {
  const names = await readdir(folder).catch((error: unknown) =>
    errorCode(error) === 'ENOTDIR' ? 'file' : [],
  );
  if (names === 'file') {
    throw new UsageError(
      `${folder} is a file: expected the volume of a run, which is a folder with run.json.`,
    );
  }
  const volumes = await volumesBelow(folder, MOST_DEPTH - 1);
  if (volumes.length > 0) {
    const some = volumes.slice(0, 3).join(', ');
    const more = volumes.length > 3 ? ', …' : '';
    throw new UsageError(
      `${folder} is a folder of ${volumes.length} run${volumes.length === 1 ? '' : 's'}: name one of them (${some}${more}).`,
    );
  }
  if (names.length > 0) {
    throw new UsageError(
      `${folder} is not the volume of a run: expected run.json in it, found ${names.slice(0, 3).join(', ')}${names.length > 3 ? ', …' : ''}.`,
    );
  }
}

/** The volumes of runs below a folder, or the folder where it is one. @throws {DataError} where there is no such folder */
export async function volumesBelow(folder: string, depth = MOST_DEPTH): Promise<readonly string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch((cause: unknown) => {
    if (depth < MOST_DEPTH) return [];
    const found = errorCode(cause) === 'ENOTDIR' ? 'a file' : 'no such folder';
    throw new DataError({ file: folder, expected: 'a folder of runs', found }, { cause });
  });
  if (entries.some(({ name }) => name === 'run.json')) return [folder];
  if (depth === 0) return [];
  const inner = entries.filter(
    (entry) => entry.isDirectory() && !entry.name.startsWith('.') && entry.name !== 'node_modules',
  );
  const found = await Promise.all(inner.map(({ name }) => volumesBelow(join(folder, name), depth - 1)));
  return found.flat();
}

/** A word that is no name of a run. */
const PATH = /[/\\]|\.(h5|hdf5|keras)$/;

/**
 * The model file that is meant: by its path, or by a run, whose last global model it is: its volume, its name or id below
 * runs/, the beginning of one, or `latest`.
 *
 * @throws {DataError} where there is none
 * @throws {UsageError} where it means no run, or several
 */
export async function findModel(given: string, options: FindOptions): Promise<string> {
  const found = await stat(given).catch(() => undefined);
  if (found?.isDirectory()) return modelOnVolume(given);
  if (found !== undefined) return given;
  if (PATH.test(given))
    throw new DataError({
      file: given,
      expected: 'a model file or the volume of a run',
      found: 'nothing there',
    });
  return modelOnVolume(await findVolume(given, options));
}

async function modelOnVolume(volume: string): Promise<string> {
  const { aggregatedModel } = volumePaths(volume);
  if (await exists(aggregatedModel)) return aggregatedModel;
  const expected = 'the volume of a run with a model, aggregated-model.h5';
  throw new DataError({ file: volume, expected, found: 'none' });
}

/** Characters of a dataset's name in a run's id, at most. */
const NAME_LENGTH = 24;

/**
 * The id of a run, e.g. `digits-3x2-1a2b3c4d` (dataset, clients × local epochs or steps, hash of all settings): the same
 * settings find the same volume again.
 */
export function runId(settings: RunSettings): string {
  const { dataset, federation, training } = settings;
  // The file's hash is left out: an id is needed before a dataset with a name is read.
  const identity = JSON.stringify(flatSettings({ ...settings, dataset: { ...dataset, sha256: undefined } }));
  const name = basename(dataset.name, '.npz')
    .replaceAll(/[^A-Za-z0-9_]+/g, '-')
    .slice(0, NAME_LENGTH);
  const work = training.epochs ?? `${training.localSteps}steps`;
  return `${name}-${federation.clients}x${work}-${sha256(identity).slice(0, 8)}`;
}

/**
 * The volumes that words mean, in their order; those of a folder, a sweep's for example, from the oldest run to the newest.
 *
 * @throws {UsageError} where a word means none or several runs
 */
export async function chosenVolumes(
  words: readonly string[],
  options: FindOptions,
): Promise<readonly string[]> {
  const chosen: string[] = [];
  for (const word of words) chosen.push(...(await volumesOf(word, { isOnly: words.length === 1, options })));
  return [...new Set(chosen)];
}

async function volumesOf(
  word: string,
  { isOnly, options }: { readonly isOnly: boolean; readonly options: FindOptions },
): Promise<readonly string[]> {
  const { run, metrics } = volumePaths(word);
  const isRepeated = await exists(repeatedPaths(word).record);
  if (isRepeated && isOnly) return [word];
  const isVolume = (await exists(run)) || (await exists(metrics));
  // A word that is no folder is the name of a run.
  const below = isVolume || !(await exists(word)) ? [] : await runsBelow({ ...options, folder: word });
  if (below.length > 0) return below.map(({ volume }) => volume).reverse();
  return [await findVolume(word, options)];
}
