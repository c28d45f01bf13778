/** Pictures that are small as files and large as pixels, for tests and benchmarks of what attackers send. */
import { promisify } from 'node:util';
import { crc32, deflate } from 'node:zlib';

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
