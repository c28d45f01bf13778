/** Small pictures drawn pixel by pixel: boxes, enlarged images, and numbers in a face of 3 × 5 dots that needs no font. */
import { encodePng, type Pixels } from '../../lib/formats/files/png.js';
import type { PngPicture } from './event-message.js';

/** Red, green, blue, each 0 to 255. */
export type Colour = readonly [red: number, green: number, blue: number];

/** A place and a size in pixels. */
export interface Rectangle {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** Rows of 3 dots, from the top, as bits. */
const FACE: Readonly<Record<string, number>> = {
  0: 0b111101101101111,
  1: 0b010110010010111,
  2: 0b111001111100111,
  3: 0b111001111001111,
  4: 0b101101111001001,
  5: 0b111100111001111,
  6: 0b111100111101111,
  7: 0b111001010010010,
  8: 0b111101111101111,
  9: 0b111101111001111,
  '>': 0b100010001010100,
};
const [FACE_WIDTH, FACE_HEIGHT] = [3, 5];
/** Pixels of a dot. */
const DOT = 2;

/** Height of a line of text, and width of a text with the space behind each sign. */
export const TEXT_HEIGHT = FACE_HEIGHT * DOT;
export const textWidth = (text: string): number => text.length * (FACE_WIDTH + 1) * DOT;

/** A white picture to draw on. */
export function createCanvas(width: number, height: number) {
  const pixels = new Uint8Array(width * height * 3).fill(255);
  // A picture is drawn in every round: typed arrays take three numbers faster one by one than as a list.
  const paint = ({ x, y, width: across, height: down }: Rectangle, [red, green, blue]: Colour): void => {
    for (let row = y; row < y + down; row++) {
      const end = (row * width + x + across) * 3;
      for (let at = (row * width + x) * 3; at < end; at += 3) {
        pixels[at] = red;
        pixels[at + 1] = green;
        pixels[at + 2] = blue;
      }
    }
  };
  return {
    paint,
    /** Digits and `>`, in the middle of a box. */
    write(text: string, box: Rectangle, colour: Colour): void {
      const left = box.x + Math.floor((box.width - textWidth(text) + DOT) / 2);
      const top = box.y + Math.floor((box.height - TEXT_HEIGHT) / 2);
      for (const [at, sign] of [...text].entries()) {
        const dots = FACE[sign] ?? 0;
        for (let dot = 0; dot < FACE_WIDTH * FACE_HEIGHT; dot++) {
          if (((dots >> (FACE_WIDTH * FACE_HEIGHT - 1 - dot)) & 1) === 0) continue;
          const x = left + (at * (FACE_WIDTH + 1) + (dot % FACE_WIDTH)) * DOT;
          paint({ x, y: top + Math.floor(dot / FACE_WIDTH) * DOT, width: DOT, height: DOT }, colour);
        }
      }
    },
    /** A picture, each of its pixels a square of so many. */
    show(
      { width: columns, height: rows, channels, values }: Pixels,
      { x, y, scale }: { readonly x: number; readonly y: number; readonly scale: number },
    ): void {
      for (let at = 0; at < columns * rows; at++) {
        const level = (channel: number) => values[at * channels + Math.min(channel, channels - 1)] ?? 0;
        const box = { x: x + (at % columns) * scale, y: y + Math.floor(at / columns) * scale };
        paint({ ...box, width: scale, height: scale }, [level(0), level(1), level(2)]);
      }
    },
    toPng: (): PngPicture => ({
      width,
      height,
      png: encodePng({ width, height, channels: 3, values: pixels }),
    }),
  };
}
