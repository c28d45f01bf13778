/** Archives of arrays by their names: npz, numpy's zip of npy arrays, and what stands for one; rows may be more than memory holds. */
import { DataError } from '../../core/errors.js';
import { own } from '../../core/own.js';
import { foreignFile } from './foreign-data.js';
import { decodeNpy, type NpyArray, type NpyRows, npyParts, rowsOfArray, type WritableValues } from './npy.js';
import { encodeZip, openZip } from './zip.js';

/** Arrays by their names, which may be more than memory holds. */
export interface ArrayArchive {
  readonly names: readonly string[];
  /** The rows of one array. @throws {DataError} when it is missing, damaged, or no array that we read */
  rows(name: string): Promise<NpyRows>;
}

/** Arrays by their names as what an archive of them is. @param file named in error messages */
export function archiveOf(arrays: Readonly<Record<string, NpyRows>>, file: string): ArrayArchive {
  const names = Object.keys(arrays);
  return {
    names,
    async rows(name) {
      const array = own(arrays, name);
      if (array !== undefined) return array;
      throw missingArray(file, name, names);
    },
  };
}

/** The error where an archive lacks an array. @param names of those that it has */
export const missingArray = (file: string, name: string, names: readonly string[]): DataError =>
  new DataError({ file, expected: `an array ${name}`, found: listNames(names) });

/** Names for an error message. */
export function listNames(names: readonly string[]): string {
  const shown = names.slice(0, 8).map((name) => JSON.stringify(name));
  if (names.length === 0) return 'no arrays';
  return `arrays ${shown.join(', ')}${names.length > shown.length ? `, … (${names.length})` : ''}`;
}

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
