/** Writing an npz whose arrays come in pieces: not compressed, the same bytes as of one that is in memory; zip64 beyond 4 GB. */
import type { FileHandle } from 'node:fs/promises';
import { crc32 } from 'node:zlib';
import { sizeOf } from '../../../core/weights.js';
import { type ExampleDtype, VALUE_ARRAYS } from '../../../federation/examples.js';
import { writeFileAtomicBy } from '../../files/atomic-file.js';
import { encodeNpyHead } from '../npy.js';

/** An array whose values come in pieces. */
export interface ArrayInPieces {
  readonly name: string;
  readonly dtype: ExampleDtype;
  readonly shape: readonly number[];
  pieces(): Iterable<ArrayBufferView> | AsyncIterable<ArrayBufferView>;
}

/**
 * Writes an npz atomically.
 *
 * @param largeFrom numbers from this one on stand in the fields of zip64
 * @returns how many bytes it takes
 * @throws {StorageError} when the disk refuses; what `pieces` throws
 */
export async function writeNpzInPieces(
  path: string,
  arrays: readonly ArrayInPieces[],
  largeFrom = ELSEWHERE,
): Promise<number> {
  const format = zipFormat(largeFrom);
  let sizeBytes = 0;
  await writeFileAtomicBy(path, async (file) => {
    const entries: Entry[] = [];
    for (const array of arrays) {
      const entry = await writeEntry(file, array, { offset: sizeBytes, format });
      entries.push(entry);
      sizeBytes += format.localHeader(entry).length + entry.sizeBytes;
    }
    const directory = format.directory(entries, sizeBytes);
    await writeAll(file, directory, sizeBytes);
    sizeBytes += directory.length;
  });
  return sizeBytes;
}

interface Entry {
  readonly name: string;
  readonly sizeBytes: number;
  readonly crc: number;
  /** Where its local header begins. */
  readonly offset: number;
}

interface EntryPlace {
  readonly offset: number;
  readonly format: ReturnType<typeof zipFormat>;
}

async function writeEntry(
  file: FileHandle,
  array: ArrayInPieces,
  { offset, format: { localHeader } }: EntryPlace,
): Promise<Entry> {
  const { name, dtype, shape } = array;
  const head = encodeNpyHead(dtype, shape);
  const sizeBytes = head.length + sizeOf(shape) * VALUE_ARRAYS[dtype].BYTES_PER_ELEMENT;
  const unfinished = { name: `${name}.npy`, sizeBytes, crc: 0, offset };
  let at = offset + localHeader(unfinished).length;
  const end = at + sizeBytes;
  let crc = 0;
  const write = async (piece: ArrayBufferView) => {
    const bytes = new Uint8Array(piece.buffer, piece.byteOffset, piece.byteLength);
    // The checksum of no bytes is 0, whatever came before.
    if (bytes.length > 0) crc = crc32(bytes, crc);
    await writeAll(file, bytes, at);
    at += bytes.length;
  };
  await write(head);
  for await (const piece of array.pieces()) await write(piece);
  if (at !== end) throw new RangeError(`array ${name} came to ${at - offset} bytes, not ${sizeBytes}`);
  // The header holds the checksum, which is known now.
  const entry = { ...unfinished, crc };
  await writeAll(file, localHeader(entry), offset);
  return entry;
}

async function writeAll(file: FileHandle, bytes: Uint8Array, at: number): Promise<void> {
  for (let done = 0; done < bytes.length; )
    done += (await file.write(bytes, done, bytes.length - done, at + done)).bytesWritten;
}

/** Stands for a number that is in the fields of zip64. */
const ELSEWHERE = 0xffff_ffff;
const VERSION = 10;
const VERSION_64 = 45;
/** 1980-01-01 as MS-DOS has it, as in archives that are made in memory. */
const DATE = 0x0021;
const UTF8_FLAG = 0x0800;

/** The records of a zip as jszip writes them. @param largeFrom numbers from this one on stand in the fields of zip64 */
function zipFormat(largeFrom: number) {
  const isLarge = (number: number) => number >= largeFrom;
  const short = (number: number) => (isLarge(number) ? ELSEWHERE : number);

  /** What local header and directory record share (APPNOTE 4.3.7 and 4.3.12), from the version on. */
  function commonFields({ name, sizeBytes, crc }: Entry, extra: Buffer): Buffer {
    const fields = Buffer.alloc(26);
    const nameBytes = Buffer.byteLength(name);
    fields.writeUInt16LE(isLarge(sizeBytes) ? VERSION_64 : VERSION, 0);
    fields.writeUInt16LE(nameBytes === name.length ? 0 : UTF8_FLAG, 2);
    fields.writeUInt16LE(DATE, 8);
    fields.writeUInt32LE(crc, 10);
    fields.writeUInt32LE(short(sizeBytes), 14);
    fields.writeUInt32LE(short(sizeBytes), 18);
    fields.writeUInt16LE(nameBytes, 22);
    fields.writeUInt16LE(extra.length, 24);
    return fields;
  }

  function localHeader(entry: Entry): Buffer {
    const { name, sizeBytes } = entry;
    const extra = Buffer.concat([largeField([sizeBytes, sizeBytes].filter(isLarge)), nameField(name)]);
    return Buffer.concat([uint32(0x04034b50), commonFields(entry, extra), Buffer.from(name), extra]);
  }

  function directoryRecord(entry: Entry): Buffer {
    const { name, sizeBytes, offset } = entry;
    const extra = Buffer.concat([
      largeField([sizeBytes, sizeBytes, offset].filter(isLarge)),
      nameField(name),
    ]);
    // Made by: MS-DOS, version 2.0.
    const madeBy = Buffer.from([20, 0]);
    // Comment, disk and attributes: none.
    const rest = Buffer.alloc(14);
    rest.writeUInt32LE(short(offset), 10);
    const common = commonFields(entry, extra);
    return Buffer.concat([uint32(0x02014b50), madeBy, common, rest, Buffer.from(name), extra]);
  }

  /** The directory and its end, with that of zip64 where a number needs it (APPNOTE 4.3.14 to 4.3.16). */
  function directory(entries: readonly Entry[], offset: number): Buffer {
    const records = Buffer.concat(entries.map(directoryRecord));
    const end = Buffer.alloc(22);
    end.writeUInt32LE(0x06054b50, 0);
    end.writeUInt16LE(entries.length, 8);
    end.writeUInt16LE(entries.length, 10);
    end.writeUInt32LE(records.length, 12);
    end.writeUInt32LE(short(offset), 16);
    if (!isLarge(offset)) return Buffer.concat([records, end]);
    const large = Buffer.alloc(56);
    large.writeUInt32LE(0x06064b50, 0);
    large.writeBigUInt64LE(44n, 4);
    large.writeUInt16LE(VERSION_64, 12);
    large.writeUInt16LE(VERSION_64, 14);
    for (const [at, number] of [entries.length, entries.length, records.length, offset].entries())
      large.writeBigUInt64LE(BigInt(number), 24 + 8 * at);
    const locator = Buffer.alloc(20);
    locator.writeUInt32LE(0x07064b50, 0);
    locator.writeBigUInt64LE(BigInt(offset + records.length), 8);
    locator.writeUInt32LE(1, 16);
    return Buffer.concat([records, large, locator, end]);
  }
  return { localHeader, directory };
}

/** The extra field of zip64 (APPNOTE 4.5.3); nothing without numbers. */
function largeField(numbers: readonly number[]): Buffer {
  if (numbers.length === 0) return Buffer.alloc(0);
  const field = Buffer.alloc(4 + 8 * numbers.length);
  field.writeUInt16LE(1, 0);
  field.writeUInt16LE(8 * numbers.length, 2);
  for (const [at, number] of numbers.entries()) field.writeBigUInt64LE(BigInt(number), 4 + 8 * at);
  return field;
}

/** The name once more where it is not ASCII (APPNOTE 4.6.9), as jszip writes it. */
function nameField(name: string): Buffer {
  const bytes = Buffer.from(name);
  if (bytes.length === name.length) return Buffer.alloc(0);
  const field = Buffer.alloc(9);
  field.write('up', 0, 'latin1');
  field.writeUInt16LE(5 + bytes.length, 2);
  field.writeUInt8(1, 4);
  field.writeUInt32LE(crc32(bytes), 5);
  return Buffer.concat([field, bytes]);
}

function uint32(number: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(number);
  return bytes;
}
