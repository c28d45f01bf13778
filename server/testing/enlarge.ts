/** Lays a digit of 28 × 28 on a larger picture: scaled smoothly, turned, moved. */

/** Where and how large the digit is. */
export interface Placing {
  /** The picture. */
  readonly width: number;
  readonly height: number;
  /** Side and place of the digit's square, in pixels of the picture. */
  readonly side: number;
  readonly left: number;
  readonly top: number;
  /** Clockwise, about the middle of the square. */
  readonly degrees: number;
}

const SIDE = 28;

/** How much of each pixel of the picture is ink, 0 to 1: `[height, width]`. */
export function enlarge(digit: Uint8Array, { width, height, ...placing }: Placing): Float32Array {
  const { side, left, top, degrees } = placing;
  const cover = new Float32Array(width * height);
  if (side === SIDE && left === 0 && top === 0 && degrees === 0 && width === SIDE && height === SIDE)
    return cover.map((_, at) => (digit[at] as number) / 255);
  const scale = SIDE / side;
  const [cos, sin] = [Math.cos((-degrees * Math.PI) / 180), Math.sin((-degrees * Math.PI) / 180)];
  const middle = { x: left + side / 2, y: top + side / 2 };
  // The square's corners reach further out when it is turned.
  const reach = (side / 2) * (Math.abs(cos) + Math.abs(sin));
  for (
    let y = Math.max(0, Math.floor(middle.y - reach));
    y < Math.min(height, Math.ceil(middle.y + reach));
    y++
  ) {
    for (
      let x = Math.max(0, Math.floor(middle.x - reach));
      x < Math.min(width, Math.ceil(middle.x + reach));
      x++
    ) {
      const [dx, dy] = [(x + 0.5 - middle.x) * scale, (y + 0.5 - middle.y) * scale];
      const [u, v] = [cos * dx - sin * dy + SIDE / 2 - 0.5, sin * dx + cos * dy + SIDE / 2 - 0.5];
      const value = sample(digit, u, v);
      if (value > 0) cover[y * width + x] = Math.max(cover[y * width + x] as number, value);
    }
  }
  return cover;
}

/** The cubic of Catmull and Rom through the sixteen pixels around (u, v). */
function sample(digit: Uint8Array, u: number, v: number): number {
  const [x, y] = [Math.floor(u), Math.floor(v)];
  if (x < -2 || y < -2 || x > SIDE || y > SIDE) return 0;
  const [alongX, alongY] = [weights(u - x), weights(v - y)];
  let sum = 0;
  for (let row = 0; row < 4; row++) {
    const from = y - 1 + row;
    if (from < 0 || from >= SIDE) continue;
    for (let column = 0; column < 4; column++) {
      const at = x - 1 + column;
      if (at < 0 || at >= SIDE) continue;
      sum += (alongY[row] as number) * (alongX[column] as number) * (digit[from * SIDE + at] as number);
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
