/** 7: a bar and a stem that slants or bends to the lower left; some start with a tick, some have a second bar. */
import type { Dice } from '../dice.js';
import { corner, type Knot, knot, type Stroke } from '../strokes.js';

/** Ways of writing a 7. */
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
