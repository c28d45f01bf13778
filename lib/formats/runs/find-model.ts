/** The model file that a word means: a file, or the last global model of a run. */
import { stat } from 'node:fs/promises';
import { DataError } from '../../core/errors.js';
import { exists } from '../files/read-file.js';
import { volumePaths } from '../volume.js';
import { type FindOptions, findVolume } from './find-run.js';

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
