/** Draws ink into pixels: each pixel is as white as its distance to the nearest stroke says. */
import type { Blot, Ink } from './hand.js';

/** A square canvas. */
interface Canvas {
  /** Side in pixels. */
  readonly size: number;
  /** Pixels of the canvas per unit of the ink's coordinates. */
  readonly scale: number;
  /** Width of the strokes' soft rim, in units of the ink's coordinates. */
  readonly softness: number;
}

/** White ink on black, antialiased: `[size, size]`, 0 to 255. */
export function rasterise(strokes: readonly Ink[], canvas: Canvas): Uint8Array {
  const cover = new Float32Array(canvas.size * canvas.size);
  for (const stroke of strokes) {
    for (let at = 0; at < stroke.length; at++) {
      const blot = stroke[at] as Blot;
      drawSegment(cover, [blot, stroke[at + 1] ?? blot], canvas);
    }
  }
  return Uint8Array.from(cover, (share) => Math.round(255 * share));
}

/** Draws the hull of two blots; where it overlaps what is there, the whiter pixel stays. */
function drawSegment(cover: Float32Array, [a, b]: readonly [Blot, Blot], canvas: Canvas): void {
  const { size, scale, softness } = canvas;
  const [dx, dy] = [b.x - a.x, b.y - a.y];
  const perLength = 1 / Math.max(1e-12, dx * dx + dy * dy);
  const reach = Math.max(a.radius, b.radius) + softness / 2;
  const pixel = (place: number, round: (value: number) => number) =>
    Math.max(0, Math.min(size - 1, round(place * scale - 0.5)));
  const right = pixel(Math.max(a.x, b.x) + reach, Math.floor);
  const bottom = pixel(Math.max(a.y, b.y) + reach, Math.floor);
  for (let row = pixel(Math.min(a.y, b.y) - reach, Math.ceil); row <= bottom; row++) {
    for (let column = pixel(Math.min(a.x, b.x) - reach, Math.ceil); column <= right; column++) {
      const x = (column + 0.5) / scale - a.x;
      const y = (row + 0.5) / scale - a.y;
      const along = Math.max(0, Math.min(1, (x * dx + y * dy) * perLength));
      const distance = Math.sqrt((x - along * dx) ** 2 + (y - along * dy) ** 2);
      const radius = a.radius + (b.radius - a.radius) * along;
      const share = Math.min(1, (radius - distance) / softness + 0.5);
      const at = row * size + column;
      if (share > (cover[at] as number)) cover[at] = share;
    }
  }
}
