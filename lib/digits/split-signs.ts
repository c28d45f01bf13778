/** Where lines of neighbours touch: the ways in which one piece of ink may be several signs, and how likely each is. */
import type { Sign } from './find-digits.js';
import type { FoundInk } from './find-ink.js';

/** One way to take a piece of ink: as these signs, from left to right. */
interface WayToRead {
  readonly signs: readonly Sign[];
  /** Logarithm of how much likelier this is than one sign, before anyone has read them. */
  readonly plausibility: number;
}

const MAX_PARTS = 4;
/** A sign takes at least this share of the width of two, and of the height of its neighbour. */
const LEAST_WIDTH = 0.12;
const LEAST_HEIGHT = 0.5;
/** Ways that are so unlikely are not worth a prediction. */
const LEAST_PLAUSIBILITY = -5;

/** A column that may part two signs, and what tells whether it does. */
interface Cut {
  readonly column: number;
  /** Width of the piece beside its height. */
  readonly aspect: number;
  /** Ink in the column beside the piece's height. */
  readonly ink: number;
  /** Lines that the column crosses, beyond the first. */
  readonly crossings: number;
  /** Height of the lower part beside the piece's. */
  readonly height: number;
}

/**
 * The odds that a cut parts two signs: logistic regression on digits of MNIST's training set alone and in touching pairs
 * (bench/fit-split-odds.ts). A wide piece is likelier two. Lines of neighbours meet in one place, where there is little
 * ink; a line through a 2 or a 3 meets theirs twice or more. And digits of one row are of one height.
 */
const ODDS = {
  aspect: 6.4,
  ink: -7.5,
  crossings: -3.3,
  height: 12.9,
  /** With an equal number of both; and touching digits are that much rarer than single ones. */
  base: -13.65 - 1.7,
} as const;

/** All ways to take a sign that are likely enough: as one first, then as two, three and four. */
export function waysToRead(found: FoundInk, sign: Sign): readonly WayToRead[] {
  const ways: WayToRead[] = [{ signs: [sign], plausibility: 0 }];
  for (let last = ways[0]; last !== undefined && last.signs.length < MAX_PARTS; last = ways.at(-1)) {
    const next = cutOnce(found, last);
    if (next === undefined || next.plausibility < LEAST_PLAUSIBILITY) break;
    ways.push(next);
  }
  return ways;
}

/** The likeliest way with one sign more: one of the signs in two. */
function cutOnce(found: FoundInk, { signs, plausibility }: WayToRead): WayToRead | undefined {
  const cuts = signs.flatMap((sign, at) => {
    const cut = findCut(found, sign);
    return cut === undefined ? [] : [{ column: cut.column, odds: oddsOf(cut), at, sign }];
  });
  const [best] = cuts.sort((a, b) => b.odds - a.odds);
  if (best === undefined) return undefined;
  const { at, sign, column } = best;
  return {
    signs: signs.toSpliced(at, 1, ...cutAt(found, sign, column)),
    plausibility: plausibility + best.odds,
  };
}

/** What each column of a sign holds. */
interface Profile {
  readonly ink: Float32Array;
  /** Lines that the column crosses. */
  readonly crossings: Int32Array;
  /** Height of all that lies before the column, and from the column on. */
  readonly heightBefore: Int32Array;
  readonly heightFrom: Int32Array;
}

function profileOf({ ink, labels }: FoundInk, sign: Sign): Profile {
  const { left, top, width, height } = sign;
  const [sums, crossings] = [new Float32Array(width), new Int32Array(width)];
  const [tops, bottoms] = [new Int32Array(width).fill(height), new Int32Array(width).fill(-1)];
  for (let x = 0; x < width; x++) {
    let wasInk = false;
    for (let y = 0; y < height; y++) {
      const at = (top + y) * ink.width + left + x;
      const isInk = sign.labels.has(labels[at] as number);
      if (isInk) {
        sums[x] = (sums[x] as number) + (ink.values[at] as number);
        if (!wasInk) crossings[x] = (crossings[x] as number) + 1;
        tops[x] = Math.min(tops[x] as number, y);
        bottoms[x] = y;
      }
      wasInk = isInk;
    }
  }
  const [heightBefore, heightFrom] = [new Int32Array(width), new Int32Array(width)];
  for (let [x, first, last] = [0, height, -1]; x < width; x++) {
    heightBefore[x] = Math.max(0, last - first + 1);
    [first, last] = [Math.min(first, tops[x] as number), Math.max(last, bottoms[x] as number)];
  }
  for (let [x, first, last] = [width - 1, height, -1]; x >= 0; x--) {
    [first, last] = [Math.min(first, tops[x] as number), Math.max(last, bottoms[x] as number)];
    heightFrom[x] = Math.max(0, last - first + 1);
  }
  return { ink: sums, crossings, heightBefore, heightFrom };
}

/** Logarithm of the odds that a cut parts two signs. */
function oddsOf({ aspect, ink, crossings, height }: Cut): number {
  return (
    ODDS.base + ODDS.aspect * aspect + ODDS.ink * ink + ODDS.crossings * crossings + ODDS.height * height
  );
}

/** The column that parts two signs best; undefined where none leaves two whole ones. */
export function findCut(found: FoundInk, sign: Sign): Cut | undefined {
  const { width, height } = sign;
  const profile = profileOf(found, sign);
  let best: Cut | undefined;
  let least = Number.POSITIVE_INFINITY;
  for (let x = Math.max(1, Math.ceil(width * LEAST_WIDTH)); x < width * (1 - LEAST_WIDTH); x++) {
    const cut = {
      column: x,
      aspect: width / height,
      ink: (profile.ink[x] as number) / height,
      crossings: Math.max(0, (profile.crossings[x] as number) - 1),
      height: Math.min(profile.heightBefore[x] as number, profile.heightFrom[x] as number) / height,
    };
    if (cut.height < LEAST_HEIGHT) continue;
    // Of columns that are as good, the one nearer to the middle.
    const offMiddle = (2 * x) / width - 1;
    const lowness = Math.max(0, 0.8 - cut.height);
    const cost = cut.ink + 0.15 * cut.crossings + 0.1 * offMiddle ** 2 + 0.3 * lowness;
    if (cost < least) [best, least] = [cut, cost];
  }
  return best;
}

/** A sign in two, each part in a box as high as its own ink. */
export function cutAt(found: FoundInk, sign: Sign, column: number): readonly [left: Sign, right: Sign] {
  return [between(found, sign, [0, column]), between(found, sign, [column, sign.width])];
}

function between({ ink, labels }: FoundInk, sign: Sign, [from, to]: readonly [number, number]): Sign {
  let [top, bottom, left, right, area] = [ink.height, -1, ink.width, -1, 0];
  for (let y = sign.top; y < sign.top + sign.height; y++) {
    for (let x = sign.left + from; x < sign.left + to; x++) {
      if (!sign.labels.has(labels[y * ink.width + x] as number)) continue;
      [left, right] = [Math.min(left, x), Math.max(right, x)];
      [top, bottom] = [Math.min(top, y), Math.max(bottom, y)];
      area++;
    }
  }
  return { left, top, width: right - left + 1, height: bottom - top + 1, area, labels: sign.labels };
}
