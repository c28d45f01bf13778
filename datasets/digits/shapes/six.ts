/** 6: a sweep down the left that closes into a loop at the bottom. */
import type { Dice } from '../dice.js';
import { arc, knot, type Stroke } from '../strokes.js';

/** Ways of writing a 6. */
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
