/** Where lines of neighbours touch: the ways in which one wide piece of ink may be several signs. */
import type { Sign } from './find-digits.js';
import type { FoundInk } from './find-ink.js';

/** A sign wider than this, beside its height, may be two; digits of MNIST are narrower but for one in a hundred. */
const WIDE = 0.85;
/** So narrow may each of several signs be. */
const NARROWEST = 0.32;
const MAX_PARTS = 4;
/** As wide as this, beside its height, a piece is as likely two signs as one; the scale of that change (logistic). */
const EVEN_ODDS = 1.2;
const ODDS_SCALE = 0.15;
/** Widths of digits beside their height: mean and standard deviation, roughly MNIST's. */
const USUAL_ASPECT = 0.65;
const ASPECT_SPREAD = 0.25;
/** How far a cut may lie from where signs of one width would part, in widths of one. */
const CUT_REACH = 0.3;

/** All ways to take a sign: as one first, then as two, three and four, cut where there is least ink. */
export function waysToRead(found: FoundInk, sign: Sign): readonly (readonly Sign[])[] {
  const aspect = sign.width / sign.height;
  if (aspect < WIDE) return [[sign]];
  const most = Math.min(MAX_PARTS, Math.floor(aspect / NARROWEST));
  const columns = inkPerColumn(found, sign);
  const ways = Array.from({ length: most }, (_, index) => cutInto(index + 1, { found, sign, columns }));
  return ways.filter((parts) => parts.length > 0);
}

/**
 * How likely a piece of ink is to be `count` signs before anyone has read them: what is much wider than high is hardly
 * one. The logarithm of a probability, but for a constant.
 */
export function plausibility(sign: Sign, count: number): number {
  const aspect = sign.width / sign.height;
  const single = 1 / (1 + Math.exp((aspect - EVEN_ODDS) / ODDS_SCALE));
  if (count === 1) return Math.log(single);
  return Math.log(1 - single) - ((aspect / count - USUAL_ASPECT) / ASPECT_SPREAD) ** 2 / 2;
}

function inkPerColumn({ ink, labels }: FoundInk, sign: Sign): Float32Array {
  const columns = new Float32Array(sign.width);
  for (let y = sign.top; y < sign.top + sign.height; y++) {
    for (let x = 0; x < sign.width; x++) {
      const at = y * ink.width + sign.left + x;
      if (sign.labels.has(labels[at] as number))
        columns[x] = (columns[x] as number) + (ink.values[at] as number);
    }
  }
  return columns;
}

interface Cutting {
  readonly found: FoundInk;
  readonly sign: Sign;
  readonly columns: Float32Array;
}

function cutInto(count: number, { found, sign, columns }: Cutting): readonly Sign[] {
  const width = sign.width / count;
  const cuts = [0];
  for (let index = 1; index < count; index++) cuts.push(bestCut(columns, width * index, width * CUT_REACH));
  cuts.push(sign.width);
  const parts = cuts.slice(1).map((to, index) => between(found, sign, [cuts[index] as number, to]));
  return parts.every((part) => part !== undefined) ? parts : [];
}

/** The column with the least ink near `middle`; further off counts as more ink. */
function bestCut(columns: Float32Array, middle: number, reach: number): number {
  let [best, least] = [Math.round(middle), Number.POSITIVE_INFINITY];
  const usual = columns.reduce((sum, value) => sum + value, 0) / columns.length;
  for (
    let x = Math.max(1, Math.ceil(middle - reach));
    x <= Math.min(columns.length - 2, middle + reach);
    x++
  ) {
    const cost = (columns[x] as number) + usual * 0.5 * ((x - middle) / reach) ** 2;
    if (cost < least) [best, least] = [x, cost];
  }
  return best;
}

/** The part of a sign from one column to another, in a box as high as its own ink. */
function between(
  { ink, labels }: FoundInk,
  sign: Sign,
  [from, to]: readonly [number, number],
): Sign | undefined {
  let [top, bottom, left, right, area] = [ink.height, -1, ink.width, -1, 0];
  for (let y = sign.top; y < sign.top + sign.height; y++) {
    for (let x = sign.left + from; x < sign.left + to; x++) {
      if (!sign.labels.has(labels[y * ink.width + x] as number)) continue;
      [left, right] = [Math.min(left, x), Math.max(right, x)];
      [top, bottom] = [Math.min(top, y), Math.max(bottom, y)];
      area++;
    }
  }
  if (bottom < 0) return undefined;
  return { left, top, width: right - left + 1, height: bottom - top + 1, area, labels: sign.labels };
}
