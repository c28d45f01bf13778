/** 9: a loop at the top, then a tail: straight down, slanting, or curling to the left. */
import type { Dice } from '../dice.js';
import { arc, corner, type Knot, knot, type Stroke } from '../strokes.js';

/** Ways of writing a 9. */
export function nine(dice: Dice): Stroke[] {
  const loop = dice.between(0.34, 0.6);
  const width = dice.between(0.38, 0.64);
  const right = 0.4 + width / 2;
  const ring = arc({
    x: 0.4,
    y: loop / 2,
    width,
    height: loop,
    from: dice.around(-35, 20),
    to: dice.around(-350, 14),
    drift: dice.around(1, 0.08),
  });
  const tail = dice.pick([
    [65, straightTail],
    [35, curledTail],
  ]);
  return [[...ring, ...tail(dice, { right, loop })]];
}

interface Place {
  readonly right: number;
  readonly loop: number;
}

/** From the top of the loop's right side straight down. */
function straightTail(dice: Dice, { right, loop }: Place): Knot[] {
  const foot = right - dice.around(0.06, 0.08);
  const from = corner(right + dice.around(0, 0.02), dice.around(0.1, 0.06));
  return [from, knot(right - (right - foot) * 0.3, (loop + 1) / 2), knot(foot, 1)];
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
