/** 0: a ring from the top against the clock, narrow or wide, closed, gaping or overlapping. */
import type { Dice } from '../dice.js';
import { arc, type Stroke } from '../strokes.js';

/** Ways of writing a 0. */
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
