/** 7: a bar and a stem that slants or bends to the lower left; some start with a tick, some have a second bar. */
import type { Dice } from '../dice.js';
import { corner, type Knot, knot, type Stroke } from '../strokes.js';

/** Ways of writing a 7. */
export function seven(dice: Dice): Stroke[] {
  const right = dice.around(0.66, 0.06);
  const foot = dice.around(0.26, 0.09);
  const bend = dice.around(-0.02, 0.05);
  const height = dice.around(0.03, 0.04);
  const turn = dice.happens(0.75) ? corner : knot;
  const stem = [
    turn(right, height),
    knot(right + (foot - right) * 0.45 + bend, 0.45),
    knot(right + (foot - right) * 0.75 + bend, 0.72),
    knot(foot, 1),
  ];
  const strokes: Stroke[] = [[...bar(dice), ...stem]];
  if (dice.happens(0.13)) strokes.push(crossing(dice, right + (foot - right) * 0.5));
  return strokes;
}

function bar(dice: Dice): Knot[] {
  const left = dice.around(0.06, 0.06);
  const top = dice.around(0.05, 0.04);
  const tick = dice.happens(0.2)
    ? [knot(left - 0.02, top + dice.between(0.08, 0.22)), corner(left, top)]
    : [];
  return [...(tick.length > 0 ? tick : [knot(left, top)]), knot(0.35, dice.around(0.03, 0.025))];
}

function crossing(dice: Dice, x: number): Stroke {
  const y = dice.around(0.5, 0.04);
  const half = dice.between(0.12, 0.25);
  return [knot(x - half, y + dice.around(0.01, 0.02)), knot(x + half, y - dice.around(0.01, 0.02))];
}
