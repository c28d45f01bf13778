/** Small whole numbers in pages of Parquet files, such as places in a dictionary: runs of one number, and numbers packed bit by bit. */
import { readVarInt } from 'hyparquet/src/thrift.js';

/** Wider numbers do not lie within 4 bytes, wherever they begin. */
const MOST_AT_ONCE_BITS = 25;
/** Places within a page are counted in bits, in 32 of them. */
const MOST_PAGE_BYTES = 2 ** 29;

/**
 * Fills an array with numbers of `width` bits: RLE/bit-packing hybrid, from the first byte on.
 * https://parquet.apache.org/docs/file-format/data-pages/encodings/#RLE
 *
 * @param width from 0 to 32
 * @throws {RangeError} where the bytes hold fewer
 * @throws {Error} for wider numbers, and pages that are too large
 */
export function readRuns(bytes: Uint8Array, width: number, into: Int32Array): void {
  if (width > 32) throw new Error(`numbers of ${width} bits in a page`);
  if (bytes.length > MOST_PAGE_BYTES) throw new Error(`a page of ${bytes.length} bytes`);
  if (width === 0) {
    into.fill(0);
    return;
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const reader = { view, offset: 0 };
  for (let done = 0; done < into.length; ) {
    const header = readVarInt(reader);
    const isPacked = (header & 1) === 1;
    const count = Math.min((header >>> 1) * (isPacked ? 8 : 1), into.length - done);
    if (isPacked) {
      unpack(view, reader.offset, { width, into: into.subarray(done, done + count) });
      reader.offset += (header >>> 1) * width;
    } else {
      let value = 0;
      for (let shift = 0; shift < width; shift += 8) value |= view.getUint8(reader.offset++) << shift;
      into.fill(value & maskOf(width), done, done + count);
    }
    done += count;
  }
}

/** Numbers of one bit; undefined where all are one run of 1, as the levels of a page without gaps. @throws {RangeError} as `readRuns` */
export function readLevels(bytes: Uint8Array, count: number): Int32Array | undefined {
  if (count === 0) return undefined;
  const reader = { view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), offset: 0 };
  const run = readVarInt(reader);
  if ((run & 1) === 0 && run >>> 1 >= count && reader.view.getUint8(reader.offset) === 1) return undefined;
  const levels = new Int32Array(count);
  readRuns(bytes, 1, levels);
  return levels;
}

const maskOf = (width: number): number => (width === 32 ? -1 : (1 << width) - 1);

function unpack(
  view: DataView,
  start: number,
  { width, into }: { readonly width: number; readonly into: Int32Array },
): void {
  const mask = maskOf(width);
  const last = view.byteLength - 4;
  let [at, bit] = [0, 0];
  if (width <= MOST_AT_ONCE_BITS) {
    for (; at < into.length; at++, bit += width) {
      const byte = start + (bit >>> 3);
      if (byte > last) break;
      into[at] = (view.getInt32(byte, true) >>> (bit & 7)) & mask;
    }
  }
  for (; at < into.length; at++) {
    let value = 0;
    for (let got = 0; got < width; ) {
      value |= (view.getUint8(start + (bit >>> 3)) >>> (bit & 7)) << got;
      const taken = Math.min(width - got, 8 - (bit & 7));
      got += taken;
      bit += taken;
    }
    into[at] = value & mask;
  }
}
