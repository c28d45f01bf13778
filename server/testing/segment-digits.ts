/** Test pictures: digits drawn as on a pocket calculator, of any size, colour and place. */
import sharp, { type Sharp } from 'sharp';
import type { Size } from '../../lib/digits/grey-image.js';

/** An RGB colour, 0 to 255 each. */
type Colour = readonly [red: number, green: number, blue: number];

/** How a digit is drawn. */
export interface Drawing extends Size {
  /** Where the digit's box begins, in pixels. */
  readonly left: number;
  readonly top: number;
  /** Height of the digit in pixels; it is 6/10 as wide. */
  readonly digitHeight: number;
  readonly ink: Colour;
  readonly paper: Colour;
}

export const WHITE: Colour = [255, 255, 255];
export const BLACK: Colour = [0, 0, 0];

/** White on black in 28 × 28, near to how MNIST looks. */
export const MNIST_LIKE: Drawing = {
  width: 28,
  height: 28,
  left: 8,
  top: 4,
  digitHeight: 20,
  ink: WHITE,
  paper: BLACK,
};

/**
 * Left, top, right, bottom of each segment in a box of 6 × 10 units. The lower ones differ in thickness: the mass of
 * a digit like its own mirror image would lie between two pixels, and centring would go either way.
 */
const SEGMENTS = {
  a: [0, 0, 6, 1],
  b: [5, 0, 6, 5],
  c: [4.4, 5, 6, 10],
  d: [0, 8.4, 6, 10],
  e: [0, 5, 1.3, 10],
  f: [0, 0, 1, 5],
  g: [0, 4.5, 6, 5.5],
} as const;
const DIGITS = [
  'abcdef',
  'bc',
  'abged',
  'abgcd',
  'fgbc',
  'afgcd',
  'afgedc',
  'abc',
  'abcdefg',
  'abcdfg',
] as const;

/** A picture of `digit` (0 to 9), ready to be encoded. */
export function drawDigit(digit: number, drawing: Drawing): Sharp {
  const { width, height, left, top, digitHeight, ink, paper } = drawing;
  const pixels = Buffer.alloc(width * height * 3);
  const lit = [...(DIGITS[digit] ?? '')].map((name) => SEGMENTS[name as keyof typeof SEGMENTS]);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const u = ((x + 0.5 - left) * 10) / digitHeight;
      const v = ((y + 0.5 - top) * 10) / digitHeight;
      const isInk = lit.some(([l, t, r, b]) => u >= l && u < r && v >= t && v < b);
      pixels.set(isInk ? ink : paper, (y * width + x) * 3);
    }
  }
  return sharp(pixels, { raw: { width, height, channels: 3 } });
}

/** The same as the bytes of a PNG file. */
export function digitPng(digit: number, drawing: Partial<Drawing> = {}): Promise<Buffer> {
  return drawDigit(digit, { ...MNIST_LIKE, ...drawing })
    .png()
    .toBuffer();
}

/** A photo-like picture: dark ink on bright paper, large, and not in the middle. */
export const ON_PAPER: Partial<Drawing> = {
  width: 400,
  height: 300,
  left: 60,
  top: 40,
  digitHeight: 150,
  ink: [20, 25, 70],
  paper: [235, 230, 220],
};

/** A picture of lines of digits: black on white, 100 pixels high and 30 apart. */
export async function linesPng(lines: readonly (readonly number[])[]): Promise<Buffer> {
  const drawing = { width: 60, height: 100, left: 0, top: 0, digitHeight: 100, ink: BLACK, paper: WHITE };
  const overlays = await Promise.all(
    lines.flatMap((digits, line) =>
      digits.map(async (digit, at) => ({
        input: await digitPng(digit, drawing),
        ...{ left: 40 + at * 95, top: 30 + line * 130 },
      })),
    ),
  );
  const width = 80 + Math.max(...lines.map(({ length }) => length)) * 95;
  const size = { width, height: 30 + lines.length * 130 };
  const empty = sharp({ create: { ...size, channels: 3, background: '#ffffff' } });
  return empty.composite(overlays).png().toBuffer();
}
