/** Zip archives of any size (zip64 too), read from their file in pieces: jszip holds an archive in memory whole. */
import { type FileHandle, open } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { crc32, createInflateRaw } from 'node:zlib';
import { DataError } from '../../../core/errors.js';
import { readInto } from '../../files/read-file.js';
import { ELSEWHERE, entriesIn, RECORD_SIGNATURES, uint32, type ZipEntry } from './zip-records.js';

/** An archive whose directory was read. */
export interface ZipFile {
  readonly sizeBytes: number;
  readonly entries: readonly ZipEntry[];
  /**
   * The bytes of an entry from `from` on in pieces of `pieceBytes`, the last one shorter. Each piece lies in an ArrayBuffer
   * of its own behind `roomBytes` of room, and fills it.
   *
   * @throws {DataError} when the entry is damaged
   */
  read(entry: ZipEntry, options: PieceOptions): AsyncGenerator<Uint8Array<ArrayBuffer>>;
}

interface PieceOptions {
  readonly from: number;
  readonly pieceBytes: number;
  readonly roomBytes: number;
}

/** The end record, and the longest comment behind it. */
const MOST_END_BYTES = 22 + 65_535;

/** Reads the directory of an archive; undefined where there is none that this reader knows. @throws what the system says */
export async function openZipFile(path: string): Promise<ZipFile | undefined> {
  const file = await open(path);
  try {
    const { size: sizeBytes } = await file.stat();
    const directory = await findDirectory(file, sizeBytes);
    if (directory === undefined) return undefined;
    const entries = entriesIn(await readAt(file, directory.offset, directory.sizeBytes));
    if (entries?.length !== directory.count) return undefined;
    return { sizeBytes, entries, read: (entry, options) => readEntry(path, entry, options) };
  } finally {
    await file.close();
  }
}

/** Where the entries are listed, by the end record or that of zip64 (APPNOTE 4.3.14 to 4.3.16). */
async function findDirectory(file: FileHandle, sizeBytes: number) {
  const tail = await readAt(file, Math.max(0, sizeBytes - MOST_END_BYTES), MOST_END_BYTES);
  const at = tail.lastIndexOf(uint32(RECORD_SIGNATURES.end));
  if (at < 0 || tail.length < at + 22) return undefined;
  const end = {
    count: tail.readUInt16LE(at + 10),
    sizeBytes: tail.readUInt32LE(at + 12),
    offset: tail.readUInt32LE(at + 16),
  };
  const isLarge = end.count === 0xffff || end.sizeBytes === ELSEWHERE || end.offset === ELSEWHERE;
  if (!isLarge) return end.offset + end.sizeBytes <= sizeBytes ? end : undefined;
  if (at < 20 || tail.readUInt32LE(at - 20) !== RECORD_SIGNATURES.locator64) return undefined;
  const record = await readAt(file, Number(tail.readBigUInt64LE(at - 12)), 56);
  if (record.length < 56 || record.readUInt32LE(0) !== RECORD_SIGNATURES.end64) return undefined;
  const field = (from: number) => Number(record.readBigUInt64LE(from));
  const large = { count: field(32), sizeBytes: field(40), offset: field(48) };
  return large.offset + large.sizeBytes <= sizeBytes ? large : undefined;
}

async function* readEntry(
  path: string,
  entry: ZipEntry,
  { from, pieceBytes, roomBytes }: PieceOptions,
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  const title = `array ${entry.name.replace(/\.npy$/, '')}`;
  const fault = (expected: string, found: string, cause?: unknown) =>
    new DataError({ file: path, expected: `${title} to ${expected}`, found }, { cause });
  const file = await open(path);
  try {
    const fillPacked = await packedBytes(file, entry);
    const fill: Fill = (target) =>
      fillPacked(target).catch((cause: unknown) => {
        throw fault('be compressed data', 'damaged data', cause);
      });
    let [crc, seenBytes] = [0, 0];
    const next = async (sizeBytes: number) => {
      const piece = new Uint8Array(new ArrayBuffer(roomBytes + sizeBytes), roomBytes);
      seenBytes += await fill(piece);
      // The checksum of no bytes is 0, whatever came before.
      if (piece.length > 0) crc = crc32(piece, crc);
      return piece;
    };
    const wanted = `take ${entry.sizeBytes} bytes as its archive says`;
    let soughtBytes = Math.min(from, entry.sizeBytes);
    await next(soughtBytes);
    while (soughtBytes < entry.sizeBytes && seenBytes === soughtBytes) {
      const sizeBytes = Math.min(pieceBytes, entry.sizeBytes - soughtBytes);
      soughtBytes += sizeBytes;
      const piece = await next(sizeBytes);
      if (seenBytes === soughtBytes) yield piece;
    }
    if (seenBytes !== entry.sizeBytes) throw fault(wanted, `${seenBytes}`);
    if ((await fill(Buffer.alloc(1))) > 0) throw fault(wanted, 'more');
    if (crc !== entry.crc) throw fault('match its checksum', 'damaged data');
  } finally {
    await file.close();
  }
}

/** Fills an array with the next bytes of an entry; the result is how many there were. */
type Fill = (target: Uint8Array) => Promise<number>;

async function packedBytes(
  file: FileHandle,
  { offset, packedBytes: size, isDeflated }: ZipEntry,
): Promise<Fill> {
  const local = await readAt(file, offset, 30);
  // A local header has its own extra field, of another length than that in the directory.
  const isHeader = local.length === 30 && local.readUInt32LE(0) === RECORD_SIGNATURES.local;
  const start = offset + 30 + (isHeader ? local.readUInt16LE(26) + local.readUInt16LE(28) : 0);
  const end = isHeader ? start + size : start;
  if (!isDeflated) {
    let at = start;
    return async (target) => {
      const wantedBytes = Math.min(target.length, end - at);
      const found = await readInto(file, target.subarray(0, wantedBytes), at);
      at += found;
      return found;
    };
  }
  const packed = Readable.from(chunksOf(file, start, end));
  const inflate = createInflateRaw({ chunkSize: CHUNK_BYTES });
  packed.on('error', (error) => inflate.destroy(error));
  const chunks = packed.pipe(inflate)[Symbol.asyncIterator]();
  let rest: Buffer = Buffer.alloc(0);
  return async (target) => {
    let at = 0;
    while (at < target.length) {
      if (rest.length === 0) {
        const { done, value } = (await chunks.next()) as IteratorResult<Buffer, undefined>;
        if (done === true) break;
        rest = value;
      }
      const part = rest.subarray(0, target.length - at);
      target.set(part, at);
      rest = rest.subarray(part.length);
      at += part.length;
    }
    return at;
  };
}

const CHUNK_BYTES = 1_048_576;

async function* chunksOf(file: FileHandle, start: number, end: number): AsyncGenerator<Buffer> {
  for (let at = start; at < end; at += CHUNK_BYTES) {
    yield await readAt(file, at, Math.min(CHUNK_BYTES, end - at));
  }
}

/** So many bytes from a place, fewer at the end of the file. */
async function readAt(file: FileHandle, at: number, sizeBytes: number): Promise<Buffer> {
  const bytes = Buffer.alloc(sizeBytes);
  return bytes.subarray(0, await readInto(file, bytes, at));
}
