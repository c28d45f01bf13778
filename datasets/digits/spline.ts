/** Turns the knots of a stroke into the smooth line that a pen draws through them. */
import type { Knot, Stroke } from './strokes.js';

/** A point of a drawn line. */
export interface Point {
  readonly x: number;
  readonly y: number;
}

/** Points per span between two knots; about a pixel apart at 28 × 28. */
const POINTS_PER_SPAN = 7;

/** A centripetal Catmull-Rom curve (Yuksel, Schaefer and Keyser 2011) through the knots, broken at corners. */
export function drawLine(stroke: Stroke): Point[] {
  const first = stroke[0];
  if (first === undefined) return [];
  const line: Point[] = [first];
  let start = 0;
  for (let end = 1; end < stroke.length; end++) {
    if (end < stroke.length - 1 && !stroke[end]?.corner) continue;
    drawSmooth(stroke.slice(start, end + 1), line);
    start = end;
  }
  return line;
}

/** Appends the curve through `knots`, without its first point. */
function drawSmooth(knots: readonly Knot[], line: Point[]): void {
  for (let span = 0; span + 1 < knots.length; span++) {
    const from = knots[span] as Knot;
    const to = knots[span + 1] as Knot;
    const before = knots[span - 1] ?? beyond(from, to);
    const after = knots[span + 2] ?? beyond(to, from);
    for (let step = 1; step <= POINTS_PER_SPAN; step++) {
      line.push(catmullRom([before, from, to, after], step / POINTS_PER_SPAN));
    }
  }
}

/** The end of a curve continues straight on: `end` mirrored from its neighbour. */
function beyond(end: Point, neighbour: Point): Point {
  return { x: 2 * end.x - neighbour.x, y: 2 * end.y - neighbour.y };
}

type Four = readonly [Point, Point, Point, Point];

/** The point at `share` (0 to 1) of the middle span, by the pyramid of Barry and Goldman (1988). */
function catmullRom([a, b, c, d]: Four, share: number): Point {
  const tb = centripetal(a, b);
  const tc = tb + centripetal(b, c);
  const td = tc + centripetal(c, d);
  const t = tb + (tc - tb) * share;
  const ab = mix(a, b, t / tb);
  const bc = mix(b, c, (t - tb) / (tc - tb));
  const cd = mix(c, d, (t - tc) / (td - tc));
  return mix(mix(ab, bc, t / tc), mix(bc, cd, (t - tb) / (td - tb)), share);
}

/** Square root of the distance; never 0, so that two knots in one place do no harm. */
function centripetal(a: Point, b: Point): number {
  return Math.sqrt(Math.sqrt((a.x - b.x) ** 2 + (a.y - b.y) ** 2)) + 1e-6;
}

function mix(a: Point, b: Point, share: number): Point {
  return { x: a.x + (b.x - a.x) * share, y: a.y + (b.y - a.y) * share };
}
