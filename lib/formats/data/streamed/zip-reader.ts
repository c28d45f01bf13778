/** Zip archives of any size (zip64 too), read from their file in pieces: jszip holds an archive in memory whole. */
import { type FileHandle, open } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { crc32, createInflateRaw } from 'node:zlib';
import { DataError } from '../../../core/errors.js';
import { readInto } from '../../files/read-file.js';

/** A file in an archive. */
export interface ZipEntry {
  readonly name: string;
  readonly isDeflated: boolean;
  /** Bytes in the archive, and those that they inflate to. */
  readonly packedBytes: number;
  readonly sizeBytes: number;
  readonly crc: number;
  /** Where its local header begins. */
  readonly offset: number;
}

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

const END = 0x06054b50;
const END_64 = 0x06064b50;
const LOCATOR_64 = 0x07064b50;
const ENTRY = 0x02014b50;
const LOCAL = 0x04034b50;
/** The end record, and the longest comment behind it. */
const MOST_END_BYTES = 22 + 65_535;
/** Stands for a number that is in the zip64 fields. */
const ELSEWHERE = 0xffff_ffff;
const STORED = 0;
const DEFLATED = 8;

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
  const at = tail.lastIndexOf(signature(END));
  if (at < 0 || tail.length < at + 22) return undefined;
  const end = {
    count: tail.readUInt16LE(at + 10),
    sizeBytes: tail.readUInt32LE(at + 12),
    offset: tail.readUInt32LE(at + 16),
  };
  const isLarge = end.count === 0xffff || end.sizeBytes === ELSEWHERE || end.offset === ELSEWHERE;
  if (!isLarge) return end.offset + end.sizeBytes <= sizeBytes ? end : undefined;
  if (at < 20 || tail.readUInt32LE(at - 20) !== LOCATOR_64) return undefined;
  const record = await readAt(file, Number(tail.readBigUInt64LE(at - 12)), 56);
  if (record.length < 56 || record.readUInt32LE(0) !== END_64) return undefined;
  const field = (from: number) => Number(record.readBigUInt64LE(from));
  const large = { count: field(32), sizeBytes: field(40), offset: field(48) };
  return large.offset + large.sizeBytes <= sizeBytes ? large : undefined;
}

function signature(number: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(number);
  return bytes;
}

/** Undefined for what is damaged, encrypted, or packed in a way that we do not unpack: jszip says which. */
function entriesIn(directory: Buffer): readonly ZipEntry[] | undefined {
  const entries: ZipEntry[] = [];
  for (let at = 0; at < directory.length; ) {
    if (directory.length < at + 46 || directory.readUInt32LE(at) !== ENTRY) return undefined;
    const [nameBytes, extraBytes, commentBytes] = [28, 30, 32].map((from) =>
      directory.readUInt16LE(at + from),
    ) as [number, number, number];
    const method = directory.readUInt16LE(at + 10);
    const isEncrypted = (directory.readUInt16LE(at + 8) & 1) !== 0;
    if (isEncrypted || (method !== STORED && method !== DEFLATED)) return undefined;
    const name = directory.toString('utf8', at + 46, at + 46 + nameBytes);
    const extra = directory.subarray(at + 46 + nameBytes, at + 46 + nameBytes + extraBytes);
    const large = largeNumbers(extra);
    const numberAt = (from: number) => {
      const short = directory.readUInt32LE(at + from);
      return short === ELSEWHERE ? large() : short;
    };
    // The zip64 fields stand in this order, those that are needed alone.
    const [sizeBytes, packedBytes, offset] = [numberAt(24), numberAt(20), numberAt(42)];
    if (sizeBytes === undefined || packedBytes === undefined || offset === undefined) return undefined;
    const crc = directory.readUInt32LE(at + 16);
    entries.push({ name, isDeflated: method === DEFLATED, packedBytes, sizeBytes, crc, offset });
    at += 46 + nameBytes + extraBytes + commentBytes;
  }
  return entries;
}

/** Hands out the numbers of 64 bits in an extra field, one after the other. */
function largeNumbers(extra: Buffer): () => number | undefined {
  let [from, end] = [0, 0];
  for (let at = 0; at + 4 <= extra.length; at += 4 + extra.readUInt16LE(at + 2)) {
    if (extra.readUInt16LE(at) !== 1) continue;
    [from, end] = [at + 4, Math.min(extra.length, at + 4 + extra.readUInt16LE(at + 2))];
    break;
  }
  return () => {
    if (from + 8 > end) return undefined;
    from += 8;
    return Number(extra.readBigUInt64LE(from - 8));
  };
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
    const fill = await packedBytes(file, entry);
    let [crc, seenBytes] = [0, 0];
    const next = async (sizeBytes: number) => {
      const piece = new Uint8Array(new ArrayBuffer(roomBytes + sizeBytes), roomBytes);
      seenBytes += await fill(piece).catch((cause: unknown) => {
        throw fault('be compressed data', 'damaged data', cause);
      });
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
  const isHeader = local.length === 30 && local.readUInt32LE(0) === LOCAL;
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
