/** Files as attackers build them: zip archives entry by entry, and PNGs that are small as files and large as pixels. */
import { promisify } from 'node:util';
import { crc32, deflate, deflateRawSync } from 'node:zlib';

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

/** In libuv's pool: it takes seconds, in which a server beside is to go on. */
export const deflated = promisify(deflate);

/** A chunk of a PNG: its length, type, content and checksum. */
export function pngChunk(type: string, data: Uint8Array): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const chunk = Buffer.alloc(body.length + 8);
  chunk.writeUInt32BE(data.length, 0);
  body.copy(chunk, 4);
  chunk.writeUInt32BE(crc32(body), body.length + 4);
  return chunk;
}

/** A valid PNG of one bit per pixel, all black: a few hundred kilobytes at most, whatever its size. */
export async function blackPng(width: number, height: number, ...extra: readonly Buffer[]): Promise<Buffer> {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header[8] = 1;
  const rows = Buffer.alloc((Math.ceil(width / 8) + 1) * height);
  return Buffer.concat([
    Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'),
    pngChunk('IHDR', header),
    ...extra,
    pngChunk('IDAT', await deflated(rows)),
    pngChunk('IEND', Buffer.alloc(0)),
  ]);
}
