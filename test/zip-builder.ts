/** Zip archives put together field by field, so that tests can make what no honest tool writes. */
import { crc32, deflateRawSync } from 'node:zlib';

/** One entry; what is not given is what an honest archive would say. */
export interface ZipEntry {
  readonly name: string;
  readonly data: Uint8Array;
  /** 0 stored, 8 deflated (default), anything else is written as given. */
  readonly method?: number;
  readonly claimedBytes?: number;
  readonly claimedCrc?: number;
  /** General purpose bits, e.g. 1 for encrypted. */
  readonly flags?: number;
}

/** The archive of `entries` (APPNOTE 4.3: local headers with data, central directory, end record). */
export function buildZip(entries: readonly ZipEntry[]): Buffer {
  const locals: Buffer[] = [];
  const centrals: Buffer[] = [];
  let offset = 0;
  for (const { name, data, method = 8, claimedBytes, claimedCrc, flags = 0 } of entries) {
    const content = method === 8 ? deflateRawSync(data) : Buffer.from(data);
    const facts = Buffer.alloc(26);
    facts.writeUInt16LE(20, 0);
    facts.writeUInt16LE(flags, 2);
    facts.writeUInt16LE(method, 4);
    facts.writeUInt32LE(claimedCrc ?? crc32(data), 10);
    facts.writeUInt32LE(content.length, 14);
    facts.writeUInt32LE(claimedBytes ?? data.length, 18);
    facts.writeUInt16LE(Buffer.byteLength(name), 22);
    const place = Buffer.alloc(14);
    place.writeUInt32LE(offset, 10);
    const local = Buffer.concat([Buffer.from('PK\x03\x04'), facts, Buffer.from(name), content]);
    centrals.push(Buffer.concat([Buffer.from('PK\x01\x02\x14\x00'), facts, place, Buffer.from(name)]));
    locals.push(local);
    offset += local.length;
  }
  const directory = Buffer.concat(centrals);
  const end = Buffer.alloc(18);
  end.writeUInt16LE(entries.length, 4);
  end.writeUInt16LE(entries.length, 6);
  end.writeUInt32LE(directory.length, 8);
  end.writeUInt32LE(offset, 12);
  return Buffer.concat([...locals, directory, Buffer.from('PK\x05\x06'), end]);
}
