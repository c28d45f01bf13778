/** Small pictures as PNG files in memory (PNG specification, third edition): what pages and event files show of examples. */
import { crc32, deflateSync, inflateSync } from 'node:zlib';

/** A picture: rows of pixels from the top, of one number each (grey) or three (red, green, blue), from 0 to 255. */
export interface Pixels {
  readonly width: number;
  readonly height: number;
  readonly channels: 1 | 3;
  readonly values: Uint8Array;
}

/** A picture of red, green, blue and opacity, from 0 to 255. */
export interface RgbaPixels {
  readonly width: number;
  readonly height: number;
  /** `[height, width, 4]`. */
  readonly values: Uint8Array;
}

const SIGNATURE = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a);
/** Numbers of a pixel, by the kind of colour that a head names: grey, colours, and either with opacity. */
const CHANNELS: Readonly<Record<number, number>> = { 0: 1, 2: 3, 4: 2, 6: 4 };
/** Says nothing about the colours of pixels. */
const PASSED_BY = ['pHYs', 'sRGB', 'tEXt', 'tIME', 'zTXt', 'iTXt'];

/** The file of a picture, not interlaced, its rows without filters. */
export function encodePng({ width, height, channels, values }: Pixels): Uint8Array {
  const head = new DataView(new ArrayBuffer(13));
  head.setUint32(0, width);
  head.setUint32(4, height);
  head.setUint8(8, 8);
  head.setUint8(9, channels === 1 ? 0 : 2);
  const rowBytes = width * channels;
  const rows = new Uint8Array(height * (rowBytes + 1));
  for (let row = 0; row < height; row++)
    rows.set(values.subarray(row * rowBytes, (row + 1) * rowBytes), row * (rowBytes + 1) + 1);
  return Buffer.concat([
    SIGNATURE,
    chunk('IHDR', new Uint8Array(head.buffer)),
    chunk('IDAT', deflateSync(rows)),
    chunk('IEND', new Uint8Array(0)),
  ]);
}

function chunk(kind: string, data: Uint8Array): Uint8Array {
  const bytes = Buffer.alloc(data.length + 12);
  bytes.writeUInt32BE(data.length, 0);
  bytes.write(kind, 4, 'latin1');
  bytes.set(data, 8);
  bytes.writeUInt32BE(crc32(bytes.subarray(4, -4)), data.length + 8);
  return bytes;
}

/** Width and height, where every PNG has them: in its first chunk. Undefined for bytes that do not begin as one. */
export function pngSides(file: Uint8Array): Pick<Pixels, 'width' | 'height'> | undefined {
  const bytes = Buffer.from(file.buffer, file.byteOffset, file.byteLength);
  if (bytes.length < 24 || !beginsAsPng(bytes) || bytes.toString('latin1', 12, 16) !== 'IHDR')
    return undefined;
  return { width: bytes.readUInt32BE(16), height: bytes.readUInt32BE(20) };
}

const beginsAsPng = (bytes: Uint8Array): boolean => SIGNATURE.every((byte, at) => bytes[at] === byte);

/**
 * The pixels of a file as programs write most pictures: 8 bits, not interlaced, no colour profile or palette, nothing
 * damaged. A library of all formats takes a millisecond for one of any size; this is for small ones.
 *
 * @returns undefined for every other file, damaged ones too, and for one with a side of more than `mostSide`
 */
export function decodePlainPng(file: Uint8Array, mostSide: number): RgbaPixels | undefined {
  const bytes = Buffer.from(file.buffer, file.byteOffset, file.byteLength);
  if (bytes.length < 45 || !beginsAsPng(bytes)) return undefined;
  const packed: Buffer[] = [];
  let head: Buffer | undefined;
  for (let at = SIGNATURE.length; ; ) {
    if (at + 12 > bytes.length) return undefined;
    const end = at + 12 + bytes.readUInt32BE(at);
    if (end > bytes.length || crc32(bytes.subarray(at + 4, end - 4)) !== bytes.readUInt32BE(end - 4))
      return undefined;
    const kind = bytes.toString('latin1', at + 4, at + 8);
    const data = bytes.subarray(at + 8, end - 4);
    if (kind === 'IHDR' && head === undefined) head = data;
    else if (kind === 'IDAT') packed.push(data);
    else if (kind === 'IEND') break;
    else if (!PASSED_BY.includes(kind)) return undefined;
    at = end;
  }
  if (head?.length !== 13) return undefined;
  const [width, height, channels] = [head.readUInt32BE(0), head.readUInt32BE(4), CHANNELS[head[9] as number]];
  const isPlain = head[8] === 8 && head[10] === 0 && head[11] === 0 && head[12] === 0;
  if (!isPlain || channels === undefined) return undefined;
  if (Math.min(width, height) < 1 || Math.max(width, height) > mostSide) return undefined;
  const rows = inflated(Buffer.concat(packed), height * (width * channels + 1));
  return rows !== undefined && unfilter(rows, { height, channels })
    ? { width, height, values: asRgba(rows, { width, height, channels }) }
    : undefined;
}

/** Exactly so many bytes; undefined where there are others. */
function inflated(packed: Buffer, length: number): Buffer | undefined {
  try {
    const bytes = inflateSync(packed, { maxOutputLength: length });
    return bytes.length === length ? bytes : undefined;
  } catch {
    return undefined;
  }
}

interface Rows {
  readonly height: number;
  readonly channels: number;
}

/** Turns differences into numbers, in place (PNG specification, 9.2). False where a row names no filter. */
function unfilter(rows: Uint8Array, { height, channels }: Rows): boolean {
  const stride = rows.length / height;
  for (let row = 0; row < height; row++) {
    const start = row * stride;
    const filter = rows[start] as number;
    if (filter > 4) return false;
    if (filter === 0) continue;
    for (let at = 1; at < stride; at++) {
      const left = at > channels ? (rows[start + at - channels] as number) : 0;
      const above = row > 0 ? (rows[start + at - stride] as number) : 0;
      const corner = at > channels && row > 0 ? (rows[start + at - stride - channels] as number) : 0;
      rows[start + at] = (rows[start + at] as number) + predicted(filter, left, above, corner);
    }
  }
  return true;
}

function predicted(filter: number, left: number, above: number, corner: number): number {
  if (filter === 1) return left;
  if (filter === 2) return above;
  if (filter === 3) return (left + above) >> 1;
  const guess = left + above - corner;
  const [toLeft, toAbove, toCorner] = [
    Math.abs(guess - left),
    Math.abs(guess - above),
    Math.abs(guess - corner),
  ];
  if (toLeft <= toAbove && toLeft <= toCorner) return left;
  return toAbove <= toCorner ? above : corner;
}

function asRgba(
  rows: Uint8Array,
  { width, height, channels }: Rows & { readonly width: number },
): Uint8Array {
  const values = new Uint8Array(width * height * 4).fill(255);
  const isGrey = channels < 3;
  const opacity = channels % 2 === 0 ? channels - 1 : undefined;
  for (let row = 0, to = 0; row < height; row++) {
    let from = row * (width * channels + 1) + 1;
    for (let column = 0; column < width; column++, from += channels, to += 4) {
      for (let colour = 0; colour < 3; colour++)
        values[to + colour] = rows[isGrey ? from : from + colour] as number;
      if (opacity !== undefined) values[to + 3] = rows[from + opacity] as number;
    }
  }
  return values;
}
