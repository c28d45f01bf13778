/** Zip archives in memory: read through jszip, every entry bounded and checked; written repeatably. */
import { crc32, inflateRawSync } from 'node:zlib';
import type { default as JSZip, JSZipObject } from 'jszip';
import { DataError, type DataProblem } from '../../core/errors.js';
import { errorCode } from '../../core/system-errors.js';
import { inflateBudget, MAX_EXPANSION, readHead, SMALL_BYTES } from '../files/read-file.js';
import { ELSEWHERE, type EntryFacts, zipFormat } from './streamed/zip-records.js';

/** An archive whose entries are inflated one at a time, when they are asked for. */
export interface ZipArchive {
  /** Names of the files in it; none that leads out of it. */
  readonly names: readonly string[];
  /** One file's bytes; those of a stored one are a view of the archive. @throws {DataError} when it is damaged or too large */
  read(name: string): Uint8Array;
}

/** What errors call an archive and its entries. */
interface ZipWords {
  /** Path of the archive. */
  readonly file: string;
  /** What was expected of it. */
  readonly expected: string;
  /** What its entries are, e.g. `array`, and what one is called. */
  readonly kind: string;
  readonly title?: (name: string) => string;
  /** What writes larger ones without compression. */
  readonly stored: string;
  /** What a file that is no zip is instead, where that can be told. */
  readonly foreign?: () => Pick<DataProblem, 'found' | 'mend'> | undefined;
}

/** Whether bytes begin as a zip with an entry does. */
export const isZip = (bytes: Uint8Array): boolean =>
  [0x50, 0x4b, 0x03, 0x04].every((byte, at) => bytes[at] === byte);

/** Whether a file begins so; false where nothing can be read. */
export async function isZipFile(path: string): Promise<boolean> {
  return await readHead(path, 4).then(isZip, () => false);
}

/**
 * Opens a zip whose bytes are in memory; inflates nothing yet.
 *
 * @throws {DataError} when it is no zip, is truncated, or has two entries of one name.
 */
export async function openZip(bytes: Uint8Array, words: ZipWords): Promise<ZipArchive> {
  const { file, kind, title = (name) => name, stored } = words;
  const zip = await loadZip(bytes, words);
  const entries = new Map<string, JSZipObject>();
  for (const entry of Object.values(zip.files)) {
    // jszip makes `x.npy` of `../x.npy`; such names are none that anybody writes in good faith.
    if (entry.unsafeOriginalName === entry.name && !entry.dir) entries.set(entry.name, entry);
  }
  let budgetBytes = inflateBudget(bytes.length);
  return {
    names: [...entries.keys()],
    read(name) {
      const entry = entries.get(name);
      if (entry === undefined)
        throw new DataError({ file, expected: `${kind} ${title(name)}`, found: 'none' });
      const inflated = inflateEntry(entry, { file, kind, name: title(name), stored, budgetBytes });
      budgetBytes -= inflated.length;
      return inflated;
    },
  };
}

/** A zip of files, not compressed, the same bytes for the same files; the bytes of a file may come in parts. */
export function encodeZip(files: readonly (readonly [name: string, ...parts: Uint8Array[]])[]): Uint8Array {
  const { localHeader, directory } = zipFormat(ELSEWHERE);
  const entries: EntryFacts[] = [];
  const all: Uint8Array[] = [];
  let offset = 0;
  for (const [name, ...parts] of files) {
    const entry = {
      ...{ name, offset, sizeBytes: parts.reduce((sum, part) => sum + part.length, 0) },
      // The checksum of no bytes is 0, whatever came before.
      crc: parts.reduce((crc, part) => (part.length === 0 ? crc : crc32(part, crc)), 0),
    };
    const header = localHeader(entry);
    entries.push(entry);
    all.push(header, ...parts);
    offset += header.length + entry.sizeBytes;
  }
  all.push(directory(entries, offset));
  const zip = new Uint8Array(all.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of all) {
    zip.set(part, at);
    at += part.length;
  }
  return zip;
}

/** Loaded where an archive is read: many programs only name some. */
async function loadJszip(): Promise<typeof JSZip> {
  return (await import('jszip')).default;
}

async function loadZip(bytes: Uint8Array, { file, expected, foreign }: ZipWords): Promise<JSZip> {
  const { loadAsync } = await loadJszip();
  let zip: JSZip;
  try {
    zip = await loadAsync(bytes);
  } catch (cause) {
    const found = describeBroken(bytes, cause instanceof Error ? cause.message : '');
    throw new DataError({ file, expected, ...(foreign?.() ?? { found }) }, { cause });
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
interface InflateOptions extends Pick<ZipWords, 'file' | 'kind' | 'stored'> {
  readonly name: string;
  readonly budgetBytes: number;
}

/**
 * The bytes of an entry; those of a stored one are a view of the archive.
 *
 * @throws {DataError} when they are more than the budget, not as many as the archive says, or damaged. Never takes
 *   more memory than the budget.
 */
function inflateEntry(
  entry: JSZipObject,
  { file, kind, name, stored, budgetBytes }: InflateOptions,
): Uint8Array {
  const fault = (expected: string, found: string, cause?: unknown) =>
    new DataError({ file, expected, found }, { cause });
  const { content, deflated, sizeBytes, crc } = storedEntry(entry);
  if (sizeBytes > budgetBytes) {
    const expected = `${kind}s of at most ${megabytes(SMALL_BYTES)} or ${MAX_EXPANSION} times the archive (${stored} stores more)`;
    throw fault(expected, `${kind} ${name} that would inflate to ${megabytes(sizeBytes)}`);
  }
  const expectedSize = `${kind} ${name} to take ${sizeBytes} bytes as its archive says`;
  const bytes = deflated ? inflate() : content;
  if (bytes.length !== sizeBytes) throw fault(expectedSize, String(bytes.length));
  if (crc32(bytes) !== crc) throw fault(`${kind} ${name} to match its checksum`, 'damaged data');
  return bytes;

  function inflate(): Uint8Array {
    // One buffer for all: a multiple of 64 so that typed arrays can look at it whole, and never quite filled.
    const chunkSize = (sizeBytes + 128) & ~63;
    try {
      return inflateRawSync(content, { chunkSize, maxOutputLength: Math.max(1, sizeBytes) });
    } catch (cause) {
      if (errorCode(cause) === 'ERR_BUFFER_TOO_LARGE') throw fault(expectedSize, 'more', cause);
      throw fault(`${kind} ${name} to be compressed data`, 'damaged data', cause);
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
