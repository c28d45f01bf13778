/** Lays writing of MNIST's size on a larger picture: scaled smoothly, turned, moved. */

/** Digits, white on black. */
export interface Writing {
  readonly width: number;
  readonly height: number;
  /** `[height, width]`, 0 to 255. */
  readonly levels: Uint8Array;
}

/** Where and how large the writing is. */
interface Placing {
  /** The picture. */
  readonly width: number;
  readonly height: number;
  /** Size of one pixel of the writing, and the place of its box, in pixels of the picture. */
  readonly scale: number;
  readonly left: number;
  readonly top: number;
  /** Clockwise, about the middle of the box. */
  readonly degrees: number;
}

/** How much of each pixel of the picture is ink, 0 to 1: `[height, width]`. */
export function enlarge(writing: Writing, { width, height, ...placing }: Placing): Float32Array {
  const { scale, left, top, degrees } = placing;
  const cover = new Float32Array(width * height);
  const [cos, sin] = [Math.cos((-degrees * Math.PI) / 180), Math.sin((-degrees * Math.PI) / 180)];
  const half = { x: (writing.width * scale) / 2, y: (writing.height * scale) / 2 };
  const middle = { x: left + half.x, y: top + half.y };
  // The corners of the box reach further out, or up, when it is turned.
  const reachX = half.x * Math.abs(cos) + half.y * Math.abs(sin);
  const reachY = half.x * Math.abs(sin) + half.y * Math.abs(cos);
  for (
    let y = Math.max(0, Math.floor(middle.y - reachY));
    y < Math.min(height, Math.ceil(middle.y + reachY));
    y++
  ) {
    for (
      let x = Math.max(0, Math.floor(middle.x - reachX));
      x < Math.min(width, Math.ceil(middle.x + reachX));
      x++
    ) {
      const [dx, dy] = [(x + 0.5 - middle.x) / scale, (y + 0.5 - middle.y) / scale];
      const u = cos * dx - sin * dy + writing.width / 2 - 0.5;
      const v = sin * dx + cos * dy + writing.height / 2 - 0.5;
      const value = sample(writing, u, v);
      if (value > 0) cover[y * width + x] = Math.max(cover[y * width + x] as number, value);
    }
  }
  return cover;
}

/** The cubic of Catmull and Rom through the sixteen pixels around (u, v). */
function sample({ width, height, levels }: Writing, u: number, v: number): number {
  const [x, y] = [Math.floor(u), Math.floor(v)];
  if (x < -2 || y < -2 || x > width || y > height) return 0;
  const [alongX, alongY] = [weights(u - x), weights(v - y)];
  let sum = 0;
  for (let row = 0; row < 4; row++) {
    const from = y - 1 + row;
    if (from < 0 || from >= height) continue;
    for (let column = 0; column < 4; column++) {
      const at = x - 1 + column;
      if (at < 0 || at >= width) continue;
      sum += (alongY[row] as number) * (alongX[column] as number) * (levels[from * width + at] as number);
    }
  }
  return Math.max(0, Math.min(1, sum / 255));
}

function weights(t: number): readonly [number, number, number, number] {
  return [
    ((2 - t) * t - 1) * t * 0.5,
    ((3 * t - 5) * t * t + 2) * 0.5,
    ((4 - 3 * t) * t + 1) * t * 0.5,
    (t - 1) * t * t * 0.5,
  ];
}

/** Side of a digit, as in MNIST. */
const SIDE = 28;

/**
 * Digits of 28 × 28 in a row, each cut to its own columns of ink.
 *
 * @param gap between their inks, in pixels of 28 to a digit; below 0 they overlap
 */
export function writeRow(digits: readonly Uint8Array[], gap: number): Writing {
  const columns = digits.map(inkColumns);
  const lefts: number[] = [];
  let width = 4;
  for (const [from, to] of columns) {
    lefts.push(width);
    width += to - from + gap;
  }
  width += 4 - gap;
  const levels = new Uint8Array(width * SIDE);
  digits.forEach((digit, index) => {
    const [from, to] = columns[index] as readonly [number, number];
    for (let y = 0; y < SIDE; y++) {
      for (let x = from; x < to; x++) {
        const at = y * width + (lefts[index] as number) + x - from;
        levels[at] = Math.max(levels[at] as number, digit[y * SIDE + x] as number);
      }
    }
  });
  return { width, height: SIDE, levels };
}

/** The first column with ink and the one behind the last. */
function inkColumns(digit: Uint8Array): readonly [from: number, to: number] {
  const hasInk = Array.from({ length: SIDE }, (_, x) =>
    Array.from({ length: SIDE }, (_unused, y) => digit[y * SIDE + x] as number).some((level) => level > 60),
  );
  return [hasInk.indexOf(true), hasInk.lastIndexOf(true) + 1];
}
