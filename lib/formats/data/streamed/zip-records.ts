/** The records of a zip archive, zip64 too, as bytes: the directory as it is read, and all of them as they are written. */
import { crc32 } from 'node:zlib';

/** A file in an archive. */
export interface EntryFacts {
  readonly name: string;
  readonly sizeBytes: number;
  readonly crc: number;
  /** Where its local header begins. */
  readonly offset: number;
}

/** The same of one that may be packed. */
export interface ZipEntry extends EntryFacts {
  readonly isDeflated: boolean;
  /** Bytes in the archive, which inflate to `sizeBytes`. */
  readonly packedBytes: number;
}

/** What records begin with: an entry in its place and in the directory, the end of this, that of zip64, and where it is. */
export const RECORD_SIGNATURES = {
  local: 0x04034b50,
  entry: 0x02014b50,
  end: 0x06054b50,
  end64: 0x06064b50,
  locator64: 0x07064b50,
} as const;

/** Stands for a number that is in the fields of zip64. */
export const ELSEWHERE = 0xffff_ffff;
const STORED = 0;
const DEFLATED = 8;

/** A number as a record has it. */
export function uint32(number: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(number);
  return bytes;
}

/** The entries of a directory; undefined for what is damaged, encrypted, or packed in a way that we do not unpack: jszip says which. */
export function entriesIn(directory: Buffer): readonly ZipEntry[] | undefined {
  const entries: ZipEntry[] = [];
  for (let at = 0; at < directory.length; ) {
    if (directory.length < at + 46 || directory.readUInt32LE(at) !== RECORD_SIGNATURES.entry)
      return undefined;
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

const VERSION = 10;
const VERSION_64 = 45;
/** 1980-01-01 as MS-DOS has it, as in archives that are made in memory. */
const DATE = 0x0021;
const UTF8_FLAG = 0x0800;

/** The records of a zip as jszip writes them. @param largeFrom numbers from this one on stand in the fields of zip64 */
export function zipFormat(largeFrom: number) {
  const isLarge = (number: number) => number >= largeFrom;
  const short = (number: number) => (isLarge(number) ? ELSEWHERE : number);

  /** What local header and directory record share (APPNOTE 4.3.7 and 4.3.12), from the version on. */
  function commonFields({ name, sizeBytes, crc }: EntryFacts, extra: Buffer): Buffer {
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

  function localHeader(entry: EntryFacts): Buffer {
    const { name, sizeBytes } = entry;
    const extra = Buffer.concat([largeField([sizeBytes, sizeBytes].filter(isLarge)), nameField(name)]);
    return Buffer.concat([
      uint32(RECORD_SIGNATURES.local),
      commonFields(entry, extra),
      Buffer.from(name),
      extra,
    ]);
  }

  function directoryRecord(entry: EntryFacts): Buffer {
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
    return Buffer.concat([uint32(RECORD_SIGNATURES.entry), madeBy, common, rest, Buffer.from(name), extra]);
  }

  /** The directory and its end, with that of zip64 where a number needs it (APPNOTE 4.3.14 to 4.3.16). */
  function directory(entries: readonly EntryFacts[], offset: number): Buffer {
    const records = Buffer.concat(entries.map(directoryRecord));
    const end = Buffer.alloc(22);
    end.writeUInt32LE(RECORD_SIGNATURES.end, 0);
    end.writeUInt16LE(entries.length, 8);
    end.writeUInt16LE(entries.length, 10);
    end.writeUInt32LE(records.length, 12);
    end.writeUInt32LE(short(offset), 16);
    if (!isLarge(offset)) return Buffer.concat([records, end]);
    const large = Buffer.alloc(56);
    large.writeUInt32LE(RECORD_SIGNATURES.end64, 0);
    large.writeBigUInt64LE(44n, 4);
    large.writeUInt16LE(VERSION_64, 12);
    large.writeUInt16LE(VERSION_64, 14);
    for (const [at, number] of [entries.length, entries.length, records.length, offset].entries())
      large.writeBigUInt64LE(BigInt(number), 24 + 8 * at);
    const locator = Buffer.alloc(20);
    locator.writeUInt32LE(RECORD_SIGNATURES.locator64, 0);
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
