/** npz archives: numpy's zip of npy arrays. */
import { type ArrayArchive, missingArray, rowsOfArray } from './array-rows.js';
import { foreignFile } from './foreign-data.js';
import { decodeNpy, type NpyArray, npyParts, type WritableValues } from './npy.js';
import { encodeZip, openZip } from './zip.js';

/** An archive whose arrays are inflated one at a time, when they are asked for. */
export interface NpzArchive {
  /** Names of the arrays, without `.npy`. */
  readonly names: readonly string[];
  /** One array. @throws {DataError} when it is damaged, too large, or no array that we read. */
  read(name: string): NpyArray;
}

/** The arrays of an archive, each in memory while it is used. */
export const rowsInMemory = (archive: NpzArchive): ArrayArchive => ({
  names: archive.names,
  rows: async (name) => rowsOfArray(archive.read(name)),
});

/** An array to be written. */
export interface NamedArray {
  readonly name: string;
  readonly shape: readonly number[];
  readonly values: WritableValues;
}

/**
 * Opens an npz whose bytes are in memory; inflates nothing yet.
 *
 * @param file named in error messages
 * @throws {DataError} when it is no zip, is truncated, or has two entries of one name.
 */
export async function openNpz(bytes: Uint8Array, file: string): Promise<NpzArchive> {
  const zip = await openZip(bytes, {
    file,
    expected: 'an npz (a zip archive of npy arrays)',
    kind: 'array',
    title: withoutEnding,
    stored: 'numpy.savez',
    foreign: () => foreignFile(bytes, file),
  });
  const names = zip.names.filter((name) => name.endsWith(ENDING)).map(withoutEnding);
  return {
    names,
    read(name) {
      if (names.includes(name)) return decodeNpy(zip.read(name + ENDING), { file, array: name });
      throw missingArray(file, name, names);
    },
  };
}

const ENDING = '.npy';
const withoutEnding = (name: string) => name.slice(0, -ENDING.length);

/** An npz of `arrays`, not compressed (a volume wants speed more than space), the same bytes for the same arrays. */
export async function encodeNpz(arrays: readonly NamedArray[]): Promise<Uint8Array> {
  return encodeZip(arrays.map(({ name, shape, values }) => [name + ENDING, ...npyParts(values, shape)]));
}
