/** Where datasets are kept between runs, and the generated digits there: made once, found again, made anew where damaged. */

import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';
import { DataError } from '../lib/core/errors.js';
import { errorCode } from '../lib/core/system-errors.js';
import type { Dataset } from '../lib/federation/examples.js';
import { readDataset } from '../lib/formats/data/dataset.js';
import { encodeNpz } from '../lib/formats/data/npz.js';
import { writeFileAtomic } from '../lib/formats/files/atomic-file.js';
import type { Reporter } from '../lib/observability/events.js';
import { type DigitsSettings, GENERATOR_VERSION, generateDigits } from './digits/generate.js';
import { IMAGE_SIZE } from './digits/place.js';

/** Where the digits of `settings` lie in a cache; the name tells all that decides about the bytes. */
export function digitsPath(directory: string, { seed, train, test }: DigitsSettings): string {
  return join(directory, `digits-v${GENERATOR_VERSION}-seed${seed}-${train}-${test}.npz`);
}

/** The digits in the cache; generates them unless they are there whole. @throws {StorageError} on a full disk. */
export async function provideDigits(settings: DigitsSettings, context: DatasetContext): Promise<Provided> {
  const file = digitsPath(context.cacheDirectory, settings);
  const fault = await findFault(file, settings);
  if (fault === undefined) return { file, skipped: true };
  if (fault !== 'missing') context.reporter.warn(`${fault} It is made anew.`);
  await writeDigits(file, settings, context);
  return { file, skipped: false };
}

/**
 * Generates digits into `file`: arrays x_train, y_train, x_test and y_test, the names that Keras uses.
 *
 * @throws {StorageError} when the disk refuses
 */
export async function writeDigits(
  file: string,
  settings: DigitsSettings,
  { reporter, signal }: Pick<DatasetContext, 'reporter' | 'signal'>,
): Promise<void> {
  const total = settings.train + settings.test;
  const onProgress = (done: number) =>
    reporter.progress({ stage: 'generate', done, total, unit: 'examples' });
  await writeFileAtomic(file, await encodeDataset(await generateDigits(settings, { onProgress, signal })));
}

async function encodeDataset({ train, test }: Required<Dataset>): Promise<Uint8Array> {
  return await encodeNpz(
    Object.entries({ train, test }).flatMap(
      ([
        split,
        {
          inputs: [{ shape, values }],
          targets: [targets],
        },
      ]) => [
        { name: `x_${split}`, shape, values },
        { ...targets, name: `y_${split}` },
      ],
    ),
  );
}

/** What is wrong with a cached file: `missing`, a sentence, or nothing. */
async function findFault(file: string, { train, test }: DigitsSettings): Promise<string | undefined> {
  try {
    // Reading checks the CRC of every array.
    const found = await readDataset(file);
    const shapes = [found.train, found.test].map((part) => part?.inputs[0].shape).join(' and ');
    const expected = [train, test].map((count) => [count, IMAGE_SIZE, IMAGE_SIZE]).join(' and ');
    return shapes === expected ? undefined : `${file}: expected images ${expected}, found ${shapes}.`;
  } catch (error) {
    if (!(error instanceof DataError)) throw error;
    return errorCode(error.cause) === 'ENOENT' ? 'missing' : error.message;
  }
}

/** The surroundings. */
export interface DatasetContext {
  readonly reporter: Reporter;
  readonly signal?: AbortSignal | undefined;
  /** Directory of cached datasets. */
  readonly cacheDirectory: string;
}

/** A dataset file, and whether it was there already. */
export interface Provided {
  readonly file: string;
  readonly skipped: boolean;
}

/**
 * The directory of cached datasets: `FEDBATCH_CACHE_DIR`, else `fedbatch` below `XDG_CACHE_HOME` or below `~/.cache`.
 * Touches no file.
 */
export function cacheDirectory(environment: NodeJS.ProcessEnv = process.env): string {
  const { FEDBATCH_CACHE_DIR: own, XDG_CACHE_HOME: shared } = environment;
  if (own) return own;
  // The XDG base directory specification says to ignore relative paths.
  return join(shared && isAbsolute(shared) ? shared : join(homedir(), '.cache'), 'fedbatch');
}
