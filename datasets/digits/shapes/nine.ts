/** 9: a loop at the top, then a tail: straight down, slanting, or curling to the left. */
import type { Dice } from '../dice.js';
import { arc, corner, type Knot, knot, type Stroke } from '../strokes.js';

/** Ways of writing a 9. */
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
