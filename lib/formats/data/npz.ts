/** npz archives (numpy's zip of npy arrays) through jszip: bounded, checked reads and repeatable writes. */

import { crc32, inflateRawSync } from 'node:zlib';
import type { default as JSZip, JSZipObject } from 'jszip';
import { DataError } from '../../core/errors.js';
import { errorCode, inflateBudget, MAX_EXPANSION, SMALL_BYTES } from '../files/read-file.js';
import { foreignFile } from './foreign-data.js';
import { decodeNpy, encodeNpy, type NpyArray } from './npy.js';

/** An archive whose arrays are inflated one at a time, when they are asked for. */
export interface NpzArchive {
  /** Names of the arrays, without `.npy`. */
  readonly names: readonly string[];
  /** One array. @throws {DataError} when it is damaged, too large, or no array that we read. */
  read(name: string): NpyArray;
}

/** An array to be written. */
export interface NamedArray {
  readonly name: string;
  readonly shape: readonly number[];
  readonly values: Parameters<typeof encodeNpy>[0];
}

/** The oldest date that zip can tell; the same always, so that the same arrays make the same bytes. */
const DATE = new Date(Date.UTC(1980, 0, 1));

/**
 * Opens an npz whose bytes are in memory; inflates nothing yet.
 *
 * @param file named in error messages
 * @throws {DataError} when it is no zip, is truncated, or has two entries of one name.
 */
export async function openNpz(bytes: Uint8Array, file: string): Promise<NpzArchive> {
  const zip = await loadZip(bytes, file);
  const entries = new Map<string, JSZipObject>();
  for (const entry of Object.values(zip.files)) {
    // jszip makes `x.npy` of `../x.npy`; such names are none that numpy writes.
    const plain = entry.unsafeOriginalName === entry.name;
    if (plain && !entry.dir && entry.name.endsWith('.npy')) entries.set(entry.name.slice(0, -4), entry);
  }
  let budget = inflateBudget(bytes.length);
  return {
    names: [...entries.keys()],
    read(name) {
      const entry = entries.get(name);
      if (entry === undefined) {
        throw new DataError({ file, expected: `an array ${name}`, found: listNames([...entries.keys()]) });
      }
      const inflated = inflateEntry(entry, { file, name, budgetBytes: budget });
      budget -= inflated.length;
      return decodeNpy(inflated, { file, array: name });
    },
  };
}

/** An npz of `arrays`, not compressed (a volume wants speed more than space), the same bytes for the same arrays. */
export async function encodeNpz(arrays: readonly NamedArray[]): Promise<Uint8Array> {
  const zip = new (await loadJszip())();
  for (const { name, shape, values } of arrays) {
    zip.file(`${name}.npy`, encodeNpy(values, shape), { date: DATE, createFolders: false });
  }
  return await zip.generateAsync({ type: 'uint8array', compression: 'STORE', platform: 'DOS' });
}

/** Names for an error message. */
export function listNames(names: readonly string[]): string {
  const shown = names.slice(0, 8).map((name) => JSON.stringify(name));
  if (names.length === 0) return 'no arrays';
  return `arrays ${shown.join(', ')}${names.length > shown.length ? `, … (${names.length})` : ''}`;
}

/** Loaded where an archive is read or written: many programs only name some. */
async function loadJszip(): Promise<typeof JSZip> {
  return (await import('jszip')).default;
}

async function loadZip(bytes: Uint8Array, file: string): Promise<JSZip> {
  const { loadAsync } = await loadJszip();
  let zip: JSZip;
  try {
    zip = await loadAsync(bytes);
  } catch (cause) {
    const found = describeBroken(bytes, cause instanceof Error ? cause.message : '');
    const foreign = foreignFile(bytes, file) ?? { found };
    throw new DataError({ file, expected: 'an npz (a zip archive of npy arrays)', ...foreign }, { cause });
  }
  // Of two entries of one name jszip silently keeps the last: refuse rather than choose.
  const recorded = entryCount(bytes);
  const named = Object.keys(zip.files).length;
  if (recorded !== named) {
    const expected = `as many names as entries in the archive (${recorded})`;
    throw new DataError({ file, expected, found: `${named} different ones` });
  }
  return zip;
}

/** What a file is that jszip does not take; `complaint` is jszip's own message. */
function describeBroken(bytes: Uint8Array, complaint: string): string {
  if (bytes.length === 0) return 'an empty file';
  if (complaint.startsWith('Encrypted')) return 'an encrypted zip';
  if (/compression .* unknown/s.test(complaint)) return 'a zip with a compression other than deflate';
  const [p, k] = bytes;
  if (p === 0x50 && k === 0x4b) return 'a damaged or truncated zip';
  return 'something that is not a zip';
}

/** Number of entries by the end record of a zip (APPNOTE 4.3.16): total entries, two bytes at offset 10. */
function entryCount(bytes: Uint8Array): number {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return view.readUInt16LE(view.lastIndexOf('PK\x05\x06', undefined, 'latin1') + 10);
}

/** Which entry is read, and what it may take. */
interface InflateOptions {
  /** Path of the archive, for error messages. */
  readonly file: string;
  /** Name of the array, for error messages. */
  readonly name: string;
  readonly budgetBytes: number;
}

/**
 * The bytes of an entry; those of a stored one are a view of the archive.
 *
 * @throws {DataError} when they are more than the budget, not as many as the archive says, or damaged. Never takes
 *   more memory than the budget.
 */
function inflateEntry(entry: JSZipObject, { file, name, budgetBytes }: InflateOptions): Uint8Array {
  const fault = (expected: string, found: string, cause?: unknown) =>
    new DataError({ file, expected, found }, { cause });
  const { content, deflated, sizeBytes, crc } = storedEntry(entry);
  if (sizeBytes > budgetBytes) {
    const expected = `arrays of at most ${megabytes(SMALL_BYTES)} or ${MAX_EXPANSION} times the archive (numpy.savez stores more)`;
    throw fault(expected, `array ${name} that would inflate to ${megabytes(sizeBytes)}`);
  }
  const expectedSize = `array ${name} to take ${sizeBytes} bytes as its archive says`;
  const bytes = deflated ? inflate() : content;
  if (bytes.length !== sizeBytes) throw fault(expectedSize, String(bytes.length));
  if (crc32(bytes) !== crc) throw fault(`array ${name} to match its checksum`, 'damaged data');
  return bytes;

  function inflate(): Uint8Array {
    // One buffer for all: a multiple of 64 so that typed arrays can look at it whole, and never quite filled.
    const chunkSize = (sizeBytes + 128) & ~63;
    try {
      return inflateRawSync(content, { chunkSize, maxOutputLength: Math.max(1, sizeBytes) });
    } catch (cause) {
      if (errorCode(cause) === 'ERR_BUFFER_TOO_LARGE') throw fault(expectedSize, 'more', cause);
      throw fault(`array ${name} to be compressed data`, 'damaged data', cause);
    }
  }
}

/** An entry as it lies in the archive. */
interface StoredEntry {
  readonly content: Uint8Array;
  readonly deflated: boolean;
  readonly sizeBytes: number;
  readonly crc: number;
}

/**
 * jszip reads the archive but is left out of inflating: it checks no CRC without inflating every entry first, and
 * its pako takes twice as long as zlib (430 ms against 230 ms for the 47 MB of MNIST). What it keeps of an entry
 * has no public name, hence the exact version in package.json.
 */
function storedEntry(entry: JSZipObject): StoredEntry {
  const { _data: data } = entry as unknown as {
    readonly _data: {
      readonly compressedContent: Uint8Array;
      readonly uncompressedSize: number;
      readonly crc32: number;
      readonly compression: { readonly magic: string };
    };
  };
  // jszip keeps nothing of an empty entry.
  if (!(data.compressedContent instanceof Uint8Array)) {
    return { content: new Uint8Array(0), deflated: false, sizeBytes: 0, crc: 0 };
  }
  return {
    content: data.compressedContent,
    deflated: data.compression.magic !== '\0\0',
    sizeBytes: data.uncompressedSize,
    crc: data.crc32 >>> 0,
  };
}

function megabytes(sizeBytes: number): string {
  return `${Math.ceil(sizeBytes / 1e6)} MB`;
}
