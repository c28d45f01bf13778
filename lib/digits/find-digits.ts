/** Groups pieces of ink into signs (digits, letters) and puts them in reading order. */
import type { Piece } from './find-ink.js';
import type { Box, Size } from './grey-image.js';

/** One sign: the pieces it is written with, and the box around them. */
export interface Sign extends Box {
  readonly labels: ReadonlySet<number>;
  readonly area: number;
}

/** More signs in one picture are a page of text; the largest are read. */
const MAX_SIGNS = 32;

/** Signs come in a few pieces each: of a picture full of dots the largest are looked at, each beside each other one. */
const MAX_PIECES = 256;

/** A piece of less than this share of the tallest sign's height is part of a sign beside it, or dirt. */
const PART_HEIGHT = 0.45;
/** How far from its sign a part may be, in heights of the tallest sign. */
const PART_REACH = 0.3;
/** Parts of one sign lie over each other by this share of the narrower one. */
const STACKED_OVERLAP = 0.4;
/** Lines of writing are further apart than the two halves of a broken sign, in heights of the taller. */
const LINE_GAP = 0.25;
/** Two that each are as a whole sign is are halves of one only where they all but touch. */
const WHOLE_GAP = 0.06;
/** Height of a whole sign beside its width, and beside the tallest where there are so many of about that height. */
const WHOLE_SHAPE = { least: 1.15, most: 3.5 };
const WHOLE_HEIGHT = 0.7;
const WHOLE_COUNT = 3;

/**
 * The signs, line by line from the top, in each line from the left.
 *
 * @param size of the picture: what runs from edge to edge is a ruled line or the end of the paper, no sign
 */
export function findSigns(pieces: readonly Piece[], size: Size): readonly (readonly Sign[])[] {
  const inside = withoutLines(pieces, size);
  const strokes = (inside.length > MAX_PIECES ? largestOf(inside, MAX_PIECES) : inside).map(
    ({ label, area, ...box }): Sign => ({ ...box, area, labels: new Set([label]) }),
  );
  const signs = attachParts(stackParts(strokes));
  return linesOf(largestOf(signs, MAX_SIGNS));
}

/** The `most` with the largest area, the largest first. */
function largestOf<Part extends { readonly area: number }>(
  parts: readonly Part[],
  most: number,
): readonly Part[] {
  return [...parts].sort((a, b) => b.area - a.area).slice(0, most);
}

/** The whole of a picture as one sign, in however many pieces it is written. */
export function asOneSign(pieces: readonly Piece[]): Sign | undefined {
  const signs = pieces.map(({ label, area, ...box }): Sign => ({ ...box, area, labels: new Set([label]) }));
  return signs.length === 0 ? undefined : signs.reduce(join);
}

function withoutLines(pieces: readonly Piece[], { width, height }: Size): readonly Piece[] {
  const isLine = (piece: Piece) =>
    (piece.left === 0 && piece.width === width) || (piece.top === 0 && piece.height === height);
  const inside = pieces.filter((piece) => !isLine(piece));
  return inside.length > 0 ? inside : pieces;
}

/** Joins pieces above each other, as the roof of a 5 and its belly, unless they are signs of two lines. */
function stackParts(strokes: readonly Sign[]): readonly Sign[] {
  const tallest = strokes.reduce((most, { height }) => Math.max(most, height), 0);
  const isTall = ({ height }: Sign) => height >= WHOLE_HEIGHT * tallest;
  const areMany = strokes.filter(isTall).length >= WHOLE_COUNT;
  const areWhole = (a: Sign, b: Sign) =>
    (looksWhole(a) && looksWhole(b)) || (areMany && isTall(a) && isTall(b));
  return joinWhile(strokes, (a, b) => {
    const overlap = overlapOf([a.left, a.width], [b.left, b.width]);
    if (overlap < STACKED_OVERLAP * Math.min(a.width, b.width)) return false;
    const gap = -overlapOf([a.top, a.height], [b.top, b.height]);
    const [taller, lower] = [Math.max(a.height, b.height), Math.min(a.height, b.height)];
    if (lower < PART_HEIGHT * taller) return gap < PART_REACH * taller;
    return gap < (areWhole(a, b) ? WHOLE_GAP : LINE_GAP) * taller;
  });
}

/** Whether it is of the shape of a sign: higher than wide, and no mere stroke. */
function looksWhole({ width, height }: Box): boolean {
  return height > WHOLE_SHAPE.least * width && height < WHOLE_SHAPE.most * width;
}

/** Gives small pieces to the nearest sign; those that are near to none are dirt. */
function attachParts(signs: readonly Sign[]): readonly Sign[] {
  const tallest = signs.reduce((most, { height }) => Math.max(most, height), 0);
  // A dash is as wide as a sign is tall, and no dirt; but on its own it is no digit either.
  const isWhole = ({ height }: Sign) => height >= PART_HEIGHT * tallest;
  const whole = signs.filter(isWhole);
  for (const part of signs.filter((sign) => !isWhole(sign))) {
    const distances = whole.map((sign) => distanceOf(sign, part));
    const nearest = distances.indexOf(Math.min(...distances));
    const sign = whole[nearest];
    if (sign !== undefined && (distances[nearest] as number) <= PART_REACH * tallest)
      whole[nearest] = join(sign, part);
  }
  return whole;
}

/** Lines from the top, in each the signs from the left. */
function linesOf(signs: readonly Sign[]): readonly (readonly Sign[])[] {
  const lines: Sign[][] = [];
  for (const sign of [...signs].sort((a, b) => a.top + a.height / 2 - (b.top + b.height / 2))) {
    // Of a line, the neighbour tells: a slanting one ends on the level where the next begins.
    const line = lines.find((others) => {
      const { top, height } = others.reduce((a, b) => (asideOf(b, sign) < asideOf(a, sign) ? b : a));
      return overlapOf([top, height], [sign.top, sign.height]) > 0.4 * Math.min(height, sign.height);
    });
    if (line === undefined) lines.push([sign]);
    else line.push(sign);
  }
  return lines.map((line) => line.sort((a, b) => a.left + a.width / 2 - (b.left + b.width / 2)));
}

/** How far the middle of a box is to the side of another's. */
const asideOf = (a: Box, b: Box) => Math.abs(a.left + a.width / 2 - (b.left + b.width / 2));

function joinWhile(signs: readonly Sign[], belongTogether: (a: Sign, b: Sign) => boolean): readonly Sign[] {
  const joined: Sign[] = [];
  for (const sign of signs) {
    let grown = sign;
    for (;;) {
      const other = joined.findIndex((each) => belongTogether(each, grown));
      if (other < 0) break;
      grown = join(grown, ...joined.splice(other, 1));
    }
    joined.push(grown);
  }
  return joined;
}

function join(a: Sign, b: Sign = a): Sign {
  const [left, top] = [Math.min(a.left, b.left), Math.min(a.top, b.top)];
  return {
    left,
    top,
    width: Math.max(a.left + a.width, b.left + b.width) - left,
    height: Math.max(a.top + a.height, b.top + b.height) - top,
    area: a.area + b.area,
    labels: new Set([...a.labels, ...b.labels]),
  };
}

/** Length that two stretches share; negative is the gap between them. */
function overlapOf([a, lengthA]: readonly [number, number], [b, lengthB]: readonly [number, number]): number {
  return Math.min(a + lengthA, b + lengthB) - Math.max(a, b);
}

/** Gap between two boxes, 0 where they touch. */
function distanceOf(a: Box, b: Box): number {
  return Math.hypot(
    Math.max(0, -overlapOf([a.left, a.width], [b.left, b.width])),
    Math.max(0, -overlapOf([a.top, a.height], [b.top, b.height])),
  );
}
