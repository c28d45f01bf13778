/** Writes signs/<class>/<number>.png: small colour pictures of four kinds of signs, as a camera might see them. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as zlib from 'node:zlib';

const SIZE = 32;
const OF_EACH = 300;
let state = 11;
/** The same numbers for everyone. */
function random() {
  state = (state * 48271) % 2147483647;
  return state / 2147483647;
}
const between = (least, most) => least + (most - least) * random();

/** Whether a point is on the sign, seen from its centre, where its size is 1. */
const SHAPES = {
  circle: (x, y) => x * x + y * y < 0.8,
  square: (x, y) => Math.abs(x) < 0.75 && Math.abs(y) < 0.75,
  triangle: (x, y) => y < 0.7 && y > 1.9 * Math.abs(x) - 0.9,
  cross: (x, y) => Math.min(Math.abs(x), Math.abs(y)) < 0.25 && Math.max(Math.abs(x), Math.abs(y)) < 0.9,
};

/** Three bytes for each point: a bright sign of any colour, turned and shifted, in front of a darker one, with noise. */
function photograph(isOn) {
  const colour = (least, most) => [between(least, most), between(least, most), between(least, most)];
  const [sign, background] = [colour(130, 255), colour(0, 110)];
  const [angle, size] = [between(-0.35, 0.35), between(8, 13)];
  const [left, top] = [between(12, 20), between(12, 20)];
  const pixels = Buffer.alloc(SIZE * SIZE * 3);
  for (let row = 0; row < SIZE; row++) {
    for (let column = 0; column < SIZE; column++) {
      const [x, y] = [(column - left) / size, (row - top) / size];
      const turned = [x * Math.cos(angle) + y * Math.sin(angle), y * Math.cos(angle) - x * Math.sin(angle)];
      const shown = isOn(...turned) ? sign : background;
      for (const [at, value] of shown.entries())
        pixels[(row * SIZE + column) * 3 + at] = Math.max(0, Math.min(255, value + between(-25, 25)));
    }
  }
  return pixels;
}

/** A PNG of it (W3C Portable Network Graphics, third edition): a header, the rows, the end. */
function pngOf(pixels) {
  const chunk = (type, data) => {
    const bytes = Buffer.concat([Buffer.alloc(4), Buffer.from(type), data, Buffer.alloc(4)]);
    bytes.writeUInt32BE(data.length, 0);
    bytes.writeUInt32BE(crc(bytes.subarray(4, -4)), bytes.length - 4);
    return bytes;
  };
  const header = Buffer.from([0, 0, 0, SIZE, 0, 0, 0, SIZE, 8, 2, 0, 0, 0]);
  const rows = Array.from({ length: SIZE }, (_, row) => [
    Buffer.from([0]),
    pixels.subarray(row * SIZE * 3, (row + 1) * SIZE * 3),
  ]);
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  const data = zlib.deflateSync(Buffer.concat(rows.flat()));
  return Buffer.concat([
    signature,
    chunk('IHDR', header),
    chunk('IDAT', data),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

/** CRC-32 as PNG has it; zlib's own where this Node has it. */
function crc(bytes) {
  if (zlib.crc32 !== undefined) return zlib.crc32(bytes);
  let value = 0xffffffff;
  for (const byte of bytes) {
    value ^= byte;
    for (let bit = 0; bit < 8; bit++) value = (value >>> 1) ^ (value & 1 ? 0xedb88320 : 0);
  }
  return ~value >>> 0;
}

for (const [kind, isOn] of Object.entries(SHAPES)) {
  mkdirSync(join('signs', kind), { recursive: true });
  for (let number = 0; number < OF_EACH; number++)
    writeFileSync(join('signs', kind, `${number}.png`), pngOf(photograph(isOn)));
}
