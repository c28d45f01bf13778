/** Which runs a report is asked for: by words, of which a folder stands for all runs below it. */
import { exists } from '../../lib/formats/files/read-file.js';
import { type FindOptions, findVolume, runsBelow } from '../../lib/formats/runs/find-run.js';
import { repeatedPaths, volumePaths } from '../../lib/formats/volume.js';

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
