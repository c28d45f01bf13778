/** From what a user calls a dataset, a name or a path, to the npz file that holds it. */
import { access } from 'node:fs/promises';
import { DataError } from '../lib/core/errors.js';
import { silentReporter } from '../lib/observability/events.js';
import { DEFAULT_DIGITS } from './digits/generate.js';
import { MNIST, mnistPath, provideMnist } from './mnist.js';
import {
  cacheDirectory,
  type DatasetContext,
  digitsPath,
  type Provided,
  provideDigits,
} from './npz-cache.js';

/** A dataset that has a name. */
interface NamedDataset {
  readonly name: string;
  readonly summary: string;
  /** Where it lies, or will lie, in a cache. */
  readonly path: (cacheDirectory: string) => string;
  /** Makes or fetches it, unless it is there. */
  readonly provide: (context: DatasetContext) => Promise<Provided>;
}

/** The datasets that have a name. */
export const DATASETS: readonly NamedDataset[] = [
  {
    name: 'digits',
    summary: `${DEFAULT_DIGITS.train} + ${DEFAULT_DIGITS.test} handwritten-like digits, generated in a second; needs no network`,
    path: (directory) => digitsPath(directory, DEFAULT_DIGITS),
    provide: (context) => provideDigits(DEFAULT_DIGITS, context),
  },
  {
    name: 'mnist',
    summary: '60000 + 10000 handwritten digits, downloaded once (11.5 MB)',
    path: mnistPath,
    provide: (context) => provideMnist({ ...MNIST, file: mnistPath(context.cacheDirectory) }, context),
  },
];

/** The names in one line, for messages. */
export const DATASET_LIST = DATASETS.map(({ name }) => name).join(', ');

/**
 * The npz file of a dataset. `digits` is generated into the cache and `mnist` downloaded into it, unless they are
 * there; anything else is the path of a file, returned as it is (`./digits` is a path too).
 *
 * @throws {DataError} when it is neither a name nor a file
 * @throws {StageError} when a download fails
 */
export async function resolveDataset(
  nameOrPath: string,
  context: Partial<DatasetContext> = {},
): Promise<string> {
  const named = DATASETS.find(({ name }) => name === nameOrPath);
  if (named !== undefined) {
    const surroundings = { reporter: silentReporter, cacheDirectory: cacheDirectory(), ...context };
    return (await named.provide(surroundings)).file;
  }
  await access(nameOrPath).catch((cause: unknown) => {
    const expected = `a dataset (a file or folder, or one of the names ${DATASET_LIST})`;
    throw new DataError({ file: nameOrPath, expected, found: 'no such file' }, { cause });
  });
  return nameOrPath;
}
