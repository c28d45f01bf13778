/** An npz that is larger than memory should hold: its arrays are read in pieces of whole rows. */
import { sizeOf } from '../../../core/weights.js';
import { IN_MEMORY_BYTES } from '../../../federation/example-rows.js';
import { MAX_EXPANSION } from '../../files/read-file.js';
import { decodeNpy, MOST_HEAD_BYTES, type NpyRows, type NpySource, npyLayout, rowsOfArray } from '../npy.js';
import { type ArrayArchive, missingArray } from '../npz.js';
import { openZipFile, type ZipFile } from './zip-reader.js';
import type { ZipEntry } from './zip-records.js';

/** About as much is read at once. */
const PIECE_BYTES = 4_194_304;

/**
 * The arrays of an npz that come to more than `mostBytes`; undefined for a smaller one, and for a file that this reader does
 * not know: whoever reads it whole says what is wrong with it.
 */
export async function openLargeNpz(
  path: string,
  mostBytes = IN_MEMORY_BYTES,
): Promise<ArrayArchive | undefined> {
  const zip = await openZipFile(path).catch(() => undefined);
  if (zip === undefined) return undefined;
  const arrays = zip.entries.filter(({ name }) => name.endsWith('.npy'));
  const entries = new Map(arrays.map((entry) => [entry.name.replace(/\.npy$/, ''), entry]));
  const sizeBytes = arrays.reduce((sum, entry) => sum + entry.sizeBytes, 0);
  const isKnown = entries.size === arrays.length && sizeBytes <= zip.sizeBytes * MAX_EXPANSION;
  if (sizeBytes <= mostBytes || !isKnown) return undefined;
  const names = [...entries.keys()];
  return {
    names,
    async rows(name) {
      const entry = entries.get(name);
      if (entry !== undefined) return await rowsOf(zip, entry, { file: path, array: name });
      throw missingArray(path, name, names);
    },
  };
}

/** @throws {DataError} as `decodeNpy`; `pieces` for damaged data */
async function rowsOf(zip: ZipFile, entry: ZipEntry, source: NpySource): Promise<NpyRows> {
  const layout = npyLayout(await firstBytes(zip, entry, MOST_HEAD_BYTES), entry.sizeBytes, source);
  const { dtype, shape, dataOffset, roomBytes, itemBytes } = layout;
  const rowBytes = sizeOf(shape.slice(1)) * itemBytes;
  // Where the first axis runs fastest, a row is spread over the whole array.
  if (layout.fortranOrder || sizeOf(shape) === 0)
    return rowsOfArray(decodeNpy(await firstBytes(zip, entry, entry.sizeBytes), source));
  const pieceBytes = Math.max(1, Math.floor(PIECE_BYTES / rowBytes)) * rowBytes;
  return {
    dtype,
    shape,
    async *pieces() {
      for await (const piece of zip.read(entry, { from: dataOffset, pieceBytes, roomBytes }))
        yield layout.decode(piece.buffer);
    },
  };
}

async function firstBytes(zip: ZipFile, entry: ZipEntry, mostBytes: number): Promise<Uint8Array> {
  const pieceBytes = Math.max(1, mostBytes);
  for await (const piece of zip.read(entry, { from: 0, pieceBytes, roomBytes: 0 })) return piece;
  return new Uint8Array(0);
}
