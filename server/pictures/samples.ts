/** The sample pictures that visitors can click on: read once at start, served from memory. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { DataError } from '../../lib/core/errors.js';
import { readFileBytes } from '../../lib/formats/files/read-file.js';

/** A sample picture. */
export interface Sample {
  /** File name, also its address below `/samples/`. */
  readonly name: string;
  /** The digit it shows, where the file name says so. */
  readonly label: string | undefined;
  /** One of those that come with the package: it is shown where a model reads digits. */
  readonly isPackaged?: boolean;
  readonly png: Uint8Array;
}

/** More would be a long page rather than a gallery. */
const MAX_SAMPLES = 40;

/** The samples that come with the package (the compiled module lies in dist/server/pictures). */
export const PACKAGED_SAMPLES = fileURLToPath(new URL('../../../samples/', import.meta.url));

/** Reads the `.png` files of a directory in the order of their names. @throws {DataError} when there is no such directory. */
export async function readSamples(directory: string): Promise<readonly Sample[]> {
  const names = await readdir(directory).catch((cause: unknown) => {
    throw new DataError(
      { file: directory, expected: 'a directory of sample pictures', found: 'none' },
      { cause },
    );
  });
  const pngs = names.filter((name) => /^\w[\w.-]*\.png$/i.test(name)).sort();
  return Promise.all(
    pngs.slice(0, MAX_SAMPLES).map(async (name) => ({
      name,
      label: /\d+/.exec(name)?.[0],
      isPackaged: directory === PACKAGED_SAMPLES,
      png: await readFileBytes(join(directory, name), 'a sample picture'),
    })),
  );
}
