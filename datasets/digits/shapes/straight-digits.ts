/** 1, 4 and 7: digits of straight strokes, with their flags, bars and bases. */
import { corner, type Dice, type Knot, knot, type Stroke } from '../strokes.js';

/** Ways of writing a 1: nearly always a plain stroke; sometimes with a flag, seldom with a flag and a base. */
export function one(dice: Dice): Stroke[] {
  return dice.pick([
    [82, plain],
    [10, flagged],
    [8, based],
  ])(dice);
}

function plain(dice: Dice): Stroke[] {
  const lean = dice.around(0.1, 0.14);
  return [[knot(0.5 + lean / 2, 0), knot(0.5 + dice.around(0, 0.025), 0.5), knot(0.5 - lean / 2, 1)]];
}

function flagged(dice: Dice): Stroke[] {
  const flag = dice.between(0.1, 0.3);
  return [[knot(0.5 - flag, flag * dice.between(0.6, 1.1)), corner(0.5, 0), knot(0.5, 0.5), knot(0.5, 1)]];
}

function based(dice: Dice): Stroke[] {
  const left = dice.between(0.15, 0.32);
  const right = dice.between(0.15, 0.32);
  const tilt = dice.around(0, 0.03);
  return [...flagged(dice), [knot(0.5 - left, 1 + tilt), knot(0.5, 1), knot(0.5 + right, 1 - tilt)]];
}

/**
 * Ways of writing a 4: open at the top with a sharp or a cupped left side, or closed; the stem crosses the bar or
 * ends it.
 */
export function four(dice: Dice): Stroke[] {
  return dice.pick([
    [52, open],
    [26, cupped],
    [14, closed],
    [8, joined],
  ])(dice);
}

/** A sharp left corner; the bar crosses the stem. */
function open(dice: Dice): Stroke[] {
  const bar = dice.around(0.55, 0.06);
  const left = dice.around(0.04, 0.05);
  const stem = dice.around(0.5, 0.05);
  return [
    [
      knot(dice.around(0.16, 0.08), dice.around(0.06, 0.06)),
      knot(dice.around(0.09, 0.03), bar * 0.55),
      corner(left, bar),
      knot(stem * 0.6, bar + dice.around(0, 0.02)),
      knot(stem + dice.around(0.14, 0.09), bar - dice.around(0.03, 0.04)),
    ],
    stemStroke(dice, stem),
  ];
}

/** The left side and the bar are one curve, like a u. */
function cupped(dice: Dice): Stroke[] {
  const bar = dice.around(0.52, 0.06);
  const stem = dice.around(0.5, 0.05);
  return [
    [
      knot(dice.around(0.1, 0.05), dice.around(0.04, 0.05)),
      knot(0.05, bar * 0.6),
      knot(0.13, bar * 0.97),
      knot(0.3, bar),
      knot(stem + dice.around(0.02, 0.06), bar - dice.around(0.08, 0.06)),
    ],
    stemStroke(dice, stem),
  ];
}

/** A triangle on a stem, in one or two strokes. */
function closed(dice: Dice): Stroke[] {
  const bar = dice.around(0.62, 0.05);
  const stem = dice.around(0.48, 0.04);
  const top = knot(stem + dice.around(0, 0.03), dice.around(0, 0.02));
  return [
    [top, corner(dice.around(0.02, 0.04), bar), knot(stem + dice.around(0.16, 0.06), bar)],
    [top, knot(stem, 0.5), knot(stem + dice.around(0, 0.03), 1)],
  ];
}

/** Without lifting the pen: down, along the bar, up, and down the stem. */
function joined(dice: Dice): Stroke[] {
  const bar = dice.around(0.5, 0.05);
  const stem = dice.around(0.5, 0.04);
  return [
    [
      knot(dice.around(0.12, 0.05), dice.around(0.05, 0.04)),
      knot(0.05, bar * 0.7),
      knot(0.16, bar),
      knot(0.36, bar * 0.8),
      corner(stem, dice.around(0.04, 0.05)),
      knot(stem - 0.03, 0.55),
      knot(stem - 0.06, 1),
    ],
  ];
}

function stemStroke(dice: Dice, x: number): Stroke {
  const lean = dice.around(0.04, 0.06);
  return [
    knot(x + lean, dice.around(0.08, 0.09)),
    knot(x + dice.around(0, 0.015), 0.55),
    knot(x - lean * 0.6, 1),
  ];
}

/**
 * Ways of writing a 7: a bar and a stem that slants or bends to the lower left; some start with a tick, some have
 * a second bar.
 */
export function seven(dice: Dice): Stroke[] {
  const right = dice.around(0.66, 0.07);
  const foot = right - dice.around(0.26, 0.16);
  const bend = dice.around(-0.01, 0.04);
  const turn = dice.happens(0.75) ? corner : knot;
  const stem = [
    turn(right, dice.around(0.02, 0.03)),
    knot(right + (foot - right) * 0.45 + bend, 0.45),
    knot(right + (foot - right) * 0.75 + bend, 0.72),
    knot(foot, 1),
  ];
  const strokes: Stroke[] = [[...bar(dice), ...stem]];
  if (dice.happens(0.12)) strokes.push(crossing(dice, right + (foot - right) * 0.5));
  return strokes;
}

/** The upper bar, level or rising, from its left end or from a tick below it. */
function bar(dice: Dice): Knot[] {
  const left = dice.around(0.1, 0.09);
  const top = dice.around(0.09, 0.07);
  const middle = knot((left + 0.66) / 2, top * 0.6 + dice.around(0.01, 0.03));
  if (!dice.happens(0.35)) return [knot(left, top), middle];
  const tick = knot(left - dice.around(0.01, 0.03), top + dice.between(0.08, 0.3));
  return [tick, dice.happens(0.6) ? corner(left, top) : knot(left, top), middle];
}

function crossing(dice: Dice, x: number): Stroke {
  const y = dice.around(0.5, 0.04);
  const half = dice.between(0.14, 0.28);
  const rise = dice.around(0.02, 0.03);
  return [knot(x - half, y + rise), knot(x + half, y - rise)];
}
