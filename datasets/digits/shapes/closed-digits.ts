/** 0, 6, 8 and 9: digits with a closed loop. */
import { arc, corner, type Dice, type Knot, knot, type Stroke } from '../strokes.js';

/**
 * Ways of writing a 0: a ring from the top against the clock, narrow or wide, closed, gaping or overlapping.
 */
export function zero(dice: Dice): Stroke[] {
  const from = dice.around(-75, 30);
  const clock = dice.happens(0.12) ? 1 : -1;
  return [
    arc({
      x: 0.4,
      y: 0.5,
      width: dice.between(0.46, 1.06),
      height: 1,
      from,
      tilt: dice.around(8, 14),
      to: from + clock * dice.around(365, 20),
      drift: dice.around(0.98, 0.06),
    }),
  ];
}

/** Ways of writing a 6: a sweep down the left that closes into a loop at the bottom. */
export function six(dice: Dice): Stroke[] {
  const loop = dice.between(0.3, 0.6);
  const width = dice.between(0.28, 0.7);
  const middle = 1 - loop / 2;
  const left = 0.4 - width / 2;
  const bow = dice.around(0.0, 0.06);
  const top = left + dice.around(0.33, 0.16);
  return [
    [
      knot(top, 0),
      knot(left + (top - left) * 0.45 - bow, middle * 0.4),
      knot(left + (top - left) * 0.08 - bow * 0.5, middle * 0.75),
      ...arc({
        x: 0.4,
        y: middle,
        width,
        height: loop,
        from: 180,
        to: dice.around(-165, 28),
        drift: dice.around(0.88, 0.12),
      }),
    ],
  ];
}

/** Ways of writing an 8: an S that turns back and crosses itself, or two rings, one on the other. */
export function eight(dice: Dice): Stroke[] {
  return dice.pick([
    [80, crossing],
    [20, rings],
  ])(dice);
}

/** Half widths and heights of the two loops. */
interface Loops {
  readonly waist: number;
  readonly upper: number;
  readonly lower: number;
}

const MIDDLE = 0.4;

/** One stroke from the upper right: over the top, across the waist, around the bottom and back up. */
function crossing(dice: Dice): Stroke[] {
  const loops = {
    waist: dice.around(0.47, 0.075),
    upper: dice.between(0.1, 0.34),
    lower: dice.between(0.1, 0.3),
  };
  return [[...downwards(dice, loops), ...upwards(dice, loops)]];
}

function downwards(dice: Dice, { waist, upper, lower }: Loops): Knot[] {
  return [
    knot(MIDDLE + upper * dice.around(0.85, 0.35), dice.around(0.13, 0.05)),
    knot(MIDDLE + dice.around(0.03, 0.04), dice.around(0, 0.02)),
    knot(MIDDLE - upper, waist * dice.around(0.42, 0.06)),
    knot(MIDDLE + dice.around(0, 0.02), waist + dice.around(0, 0.02)),
    knot(MIDDLE + lower, waist + (1 - waist) * dice.around(0.52, 0.06)),
    knot(MIDDLE + dice.around(0, 0.03), 1),
  ];
}

/** Back over the waist; ends short of the start, on it, or beyond it in a tail. */
function upwards(dice: Dice, { waist, upper, lower }: Loops): Knot[] {
  const reach = dice.around(0.95, 0.35);
  return [
    knot(MIDDLE - lower, waist + (1 - waist) * dice.around(0.58, 0.06)),
    knot(MIDDLE + dice.around(0, 0.03), waist + dice.around(0.02, 0.02)),
    knot(MIDDLE + upper * reach * 0.85, waist * 0.55),
    knot(MIDDLE + upper * reach + dice.around(0.02, 0.06), waist * dice.around(0.2, 0.12)),
  ];
}

function rings(dice: Dice): Stroke[] {
  const waist = dice.around(0.46, 0.05);
  const from = dice.around(-90, 25);
  return [
    arc({ x: MIDDLE, y: waist / 2, width: dice.between(0.32, 0.54), height: waist, from, to: from - 365 }),
    arc({
      x: MIDDLE + dice.around(0, 0.03),
      y: (1 + waist) / 2,
      width: dice.between(0.34, 0.62),
      height: 1 - waist,
      from,
      to: from + 365,
    }),
  ];
}

/** Ways of writing a 9: a loop at the top, then a tail: straight down, slanting, or curling to the left. */
export function nine(dice: Dice): Stroke[] {
  const loop = dice.between(0.28, 0.66);
  const width = dice.between(0.26, 0.66);
  const right = 0.4 + width / 2;
  const ring = arc({
    x: 0.4,
    y: loop / 2,
    width,
    height: loop,
    from: dice.around(-40, 25),
    to: dice.around(-345, 22),
    drift: dice.around(1, 0.1),
    tilt: dice.around(8, 18),
  });
  const tail = dice.pick([
    [75, straightTail],
    [25, curledTail],
  ]);
  return [[...ring, ...tail(dice, { right, loop })]];
}

interface Place {
  readonly right: number;
  readonly loop: number;
}

/** From beside the top of the loop down, more or less straight. */
function straightTail(dice: Dice, { right, loop }: Place): Knot[] {
  const foot = right - dice.around(0.1, 0.15);
  const top = knot(right + dice.around(0.01, 0.03), loop * dice.around(0.25, 0.14));
  const turn = dice.happens(0.6) ? corner(top.x, top.y) : top;
  return [turn, knot(right - (right - foot) * 0.35 + dice.around(0, 0.02), (loop + 1) / 2), knot(foot, 1)];
}

function curledTail(dice: Dice, { right, loop }: Place): Knot[] {
  const foot = right - dice.between(0.2, 0.5);
  return [
    knot(right + 0.01, loop * 0.3),
    knot(right, (loop + 1) / 2),
    knot(right - (right - foot) * 0.35, 0.94),
    knot(foot, dice.around(0.98, 0.03)),
  ];
}
