/** npz archives (numpy's zip of npy arrays) through jszip: bounded, checked reads and repeatable writes. */
import { crc32, inflateRawSync } from 'node:zlib';
import JSZip from 'jszip';
import { DataError } from '../federation/errors.js';
import { errorCode } from './atomic-file.js';
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

/** Below this, no archive is called a bomb: any machine that trains has as much to spare. */
const SMALL_BYTES = 64 * 2 ** 20;
/** Images deflate to a fifth or so; an archive that grows more than this was made to exhaust memory. */
const MAX_EXPANSION = 100;
/** Node reads no file beyond 2 GiB at once, and what we write must be readable again. */
const MAX_BYTES = 2 ** 31 - 1;
/** The oldest date that zip can tell; the same always, so that the same arrays make the same bytes. */
const DATE = new Date(Date.UTC(1980, 0, 1));

/** How many bytes the arrays of an archive may come to when inflated, all together. */
export function inflateBudget(archiveBytes: number): number {
  return Math.min(MAX_BYTES, Math.max(SMALL_BYTES, archiveBytes * MAX_EXPANSION));
}

/**
 * Opens an npz whose bytes are in memory; inflates nothing yet.
 *
 * @param file named in error messages
 * @throws {DataError} when it is no zip, is truncated, or has two entries of one name.
 */
export async function openNpz(bytes: Uint8Array, file: string): Promise<NpzArchive> {
  const zip = await loadZip(bytes, file);
  const entries = new Map<string, JSZip.JSZipObject>();
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
      const inflated = inflate(storedEntry(entry), { file, name, budget });
      budget -= inflated.length;
      return decodeNpy(inflated, { file, array: name });
    },
  };
}

/** An npz of `arrays`, not compressed (a volume wants speed more than space), the same bytes for the same arrays. */
export async function encodeNpz(arrays: readonly NamedArray[]): Promise<Uint8Array> {
  const zip = new JSZip();
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

async function loadZip(bytes: Uint8Array, file: string): Promise<JSZip> {
  let zip: JSZip;
  try {
    zip = await JSZip.loadAsync(bytes);
  } catch (cause) {
    const found = bytes.length === 0 ? 'an empty file' : describeBroken(bytes);
    throw new DataError({ file, expected: 'an npz (a zip archive of npy arrays)', found }, { cause });
  }
  // Of two entries of one name jszip keeps the last, Python's zipfile another: refuse rather than choose.
  const recorded = entryCount(bytes);
  const found = Object.keys(zip.files).length;
  if (recorded !== found) {
    const expected = `${recorded} entries with different names in the archive`;
    throw new DataError({ file, expected, found: String(found) });
  }
  return zip;
}

function describeBroken(bytes: Uint8Array): string {
  const [p, k] = bytes;
  if (p === 0x50 && k === 0x4b) return 'a damaged or truncated zip';
  if (p === 0x93) return 'a single npy array (numpy.savez makes an npz)';
  return 'something that is not a zip';
}

/** Number of entries by the end record of a zip (APPNOTE 4.3.16): total entries, two bytes at offset 10. */
function entryCount(bytes: Uint8Array): number {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return view.readUInt16LE(view.lastIndexOf('PK\x05\x06', undefined, 'latin1') + 10);
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
 * has no public name, hence the exact version in package.json and the check here.
 */
function storedEntry(entry: JSZip.JSZipObject): StoredEntry {
  const { _data: data } = entry as unknown as {
    readonly _data: {
      readonly compressedContent: Uint8Array;
      readonly uncompressedSize: number;
      readonly crc32: number;
      readonly compression: { readonly magic: string };
    };
  };
  if (!(data.compressedContent instanceof Uint8Array))
    throw new TypeError('this version of jszip is not known');
  return {
    content: data.compressedContent,
    deflated: data.compression.magic !== '\0\0',
    sizeBytes: data.uncompressedSize,
    crc: data.crc32 >>> 0,
  };
}

interface InflateOptions {
  readonly file: string;
  readonly name: string;
  readonly budget: number;
}

function inflate(entry: StoredEntry, { file, name, budget }: InflateOptions): Uint8Array {
  if (entry.sizeBytes > budget) {
    const expected = `array ${name} to take at most ${budget} bytes (100 times the archive, or 64 MiB)`;
    throw new DataError({ file, expected, found: `${entry.sizeBytes}` });
  }
  const bytes = entry.deflated ? inflateRaw(entry, { file, name }) : entry.content;
  if (bytes.length !== entry.sizeBytes) throw sizeError(entry, { file, name, found: String(bytes.length) });
  if (crc32(bytes) !== entry.crc) {
    throw new DataError({ file, expected: `array ${name} to match its checksum`, found: 'damaged data' });
  }
  return bytes;
}

function inflateRaw(entry: StoredEntry, { file, name }: { file: string; name: string }): Uint8Array {
  // One buffer for all: rounded up so that typed arrays can look at it whole, and never quite filled.
  const chunkSize = (entry.sizeBytes + 128) & ~63;
  try {
    return inflateRawSync(entry.content, { chunkSize, maxOutputLength: Math.max(1, entry.sizeBytes) });
  } catch (cause) {
    if (errorCode(cause) === 'ERR_BUFFER_TOO_LARGE') throw sizeError(entry, { file, name, found: 'more' });
    throw new DataError({ file, expected: `array ${name} to be readable`, found: 'damaged data' }, { cause });
  }
}

function sizeError(entry: StoredEntry, { file, name, found }: { file: string; name: string; found: string }) {
  const expected = `array ${name} to take ${entry.sizeBytes} bytes as its archive says`;
  return new DataError({ file, expected, found });
}
