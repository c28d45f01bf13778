/** Finds strokes: connected pieces of ink, told from the grain of paper and from specks. */
import type { InkPicture } from './even-light.js';
import { type Box, boxBlur, type GreyImage, largest, median } from './grey-image.js';

/** Connected ink. */
export interface Piece extends Box {
  /** Its number in `labels`, from 1. */
  readonly label: number;
  /** Number of pixels. */
  readonly area: number;
}

/** The strokes of a picture. */
export interface FoundInk {
  /** Ink from 0 to 1, 1 being the usual strength of these strokes; grain and the soft foot of strokes are 0. */
  readonly ink: GreyImage;
  /** Which piece a pixel belongs to; 0 for none. `[height, width]` */
  readonly labels: Int32Array;
  readonly pieces: readonly Piece[];
}

/** Ink must differ at least this much from its paper, of 1. */
const LEAST_CONTRAST = 0.06;
/** Strokes begin where ink is half as strong as usual, and go on as far as it has this share. */
const BEGIN_SHARE = 0.5;
const FOLLOW_SHARE = 0.22;
/** Standard deviations of the paper's grain that ink must stand out by, to begin and to go on. */
const BEGIN_DEVIATIONS = 6;
const FOLLOW_DEVIATIONS = 3.5;
/** Grain beyond this is averaged away, over about such a share of the shorter side: a stroke is several times as wide. */
const MUCH_GRAIN = 0.015;
const GRAIN_SHARE = 1 / 256;
/** Of the largest piece: what has less area, or is smaller in both directions, is a speck. */
const SPECK_AREA = 0.015;
const SPECK_SIDE = 0.1;

/** Finds the strokes; no pieces where the picture is blank. */
export function findInk(picture: InkPicture): FoundInk {
  const { width, height } = picture;
  const radius = Math.max(1, Math.round(Math.min(width, height) * GRAIN_SHARE));
  const smooth = grainOf(picture.values) > MUCH_GRAIN ? boxBlur(picture, radius) : picture;
  const peak = largest(smooth.values);
  const grain = grainOf(smooth.values);
  const level = median(smooth.values.filter((value) => value > peak / 2));
  const follow = Math.max(FOLLOW_SHARE * level, FOLLOW_DEVIATIONS * grain);
  const begin = Math.max(BEGIN_SHARE * level, BEGIN_DEVIATIONS * grain, follow);
  if (peak < LEAST_CONTRAST || begin > peak) {
    const empty = new Float32Array(width * height);
    return { ink: { width, height, values: empty }, labels: new Int32Array(width * height), pieces: [] };
  }
  const labels = new Int32Array(width * height);
  const pieces = tracePieces(smooth, { labels, follow, begin });
  const foot = Math.min(0.5 * level, Math.max(0.06 * level, 2 * grain));
  const ink = new Float32Array(width * height);
  for (let at = 0; at < ink.length; at++)
    ink[at] = Math.max(0, Math.min(1, ((smooth.values[at] as number) - foot) / (level - foot)));
  return { ink: { width, height, values: ink }, labels, pieces: withoutSpecks(pieces) };
}

/** Standard deviation of the values around 0, told from their median so that ink does not count. */
function grainOf(values: Float32Array): number {
  return 1.4826 * median(values, { absolute: true });
}

interface Tracing {
  readonly labels: Int32Array;
  readonly follow: number;
  readonly begin: number;
}

/** Numbers the connected pixels above `follow` (eight neighbours) that hold one of at least `begin`. */
function tracePieces({ width, height, values }: GreyImage, { labels, follow, begin }: Tracing): Piece[] {
  const pieces: Piece[] = [];
  const stack: number[] = [];
  for (let start = 0; start < values.length; start++) {
    if ((values[start] as number) < begin || labels[start] !== 0) continue;
    const label = pieces.length + 1;
    let [left, top, right, bottom, area] = [width, height, 0, 0, 0];
    labels[start] = label;
    stack.push(start);
    for (let at = stack.pop(); at !== undefined; at = stack.pop()) {
      const x = at % width;
      const y = (at - x) / width;
      area++;
      left = Math.min(left, x);
      right = Math.max(right, x);
      top = Math.min(top, y);
      bottom = Math.max(bottom, y);
      for (let ny = Math.max(0, y - 1); ny <= Math.min(height - 1, y + 1); ny++) {
        for (let nx = Math.max(0, x - 1); nx <= Math.min(width - 1, x + 1); nx++) {
          const next = ny * width + nx;
          if (labels[next] !== 0 || (values[next] as number) < follow) continue;
          labels[next] = label;
          stack.push(next);
        }
      }
    }
    pieces.push({ label, area, left, top, width: right - left + 1, height: bottom - top + 1 });
  }
  return pieces;
}

function withoutSpecks(pieces: readonly Piece[]): readonly Piece[] {
  const most = (sizeOf: (piece: Piece) => number) =>
    pieces.reduce((size, piece) => Math.max(size, sizeOf(piece)), 0);
  const [area, side] = [most((piece) => piece.area), most((piece) => Math.max(piece.width, piece.height))];
  return pieces.filter(
    (piece) => piece.area >= SPECK_AREA * area && Math.max(piece.width, piece.height) >= SPECK_SIDE * side,
  );
}
