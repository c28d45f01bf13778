/** 5: a bar, a neck down to the middle and a bowl; in one stroke, with the bar added last, or curved like an S. */
import type { Dice } from '../dice.js';
import { arc, corner, type Knot, knot, type Stroke } from '../strokes.js';

/** Ways of writing a 5. */
export function five(dice: Dice): Stroke[] {
  return dice.pick([
    [45, oneStroke],
    [40, barLast],
    [15, curved],
  ])(dice);
}

function oneStroke(dice: Dice): Stroke[] {
  const waist = dice.around(0.42, 0.05);
  const left = dice.around(0.22, 0.04);
  return [
    [
      knot(dice.around(0.72, 0.1), dice.around(0, 0.04)),
      corner(left + dice.around(0.02, 0.03), dice.around(0.04, 0.03)),
      corner(left - dice.around(0.03, 0.04), waist),
      ...bowl(dice, waist),
    ],
  ];
}

function barLast(dice: Dice): Stroke[] {
  const waist = dice.around(0.42, 0.05);
  const left = dice.around(0.22, 0.04);
  const top = dice.around(0.06, 0.04);
  const start = left + dice.around(0.03, 0.05);
  return [
    [
      knot(left + dice.around(0.03, 0.03), top),
      corner(left - dice.around(0.02, 0.03), waist),
      ...bowl(dice, waist),
    ],
    [
      knot(start, top - dice.around(0.01, 0.03)),
      knot(start + 0.25, top - dice.around(0.02, 0.02)),
      knot(dice.around(0.74, 0.11), top - dice.around(0.05, 0.04)),
    ],
  ];
}

function curved(dice: Dice): Stroke[] {
  const waist = dice.around(0.42, 0.04);
  return [
    [
      knot(dice.around(0.68, 0.08), dice.around(0.03, 0.03)),
      knot(0.42, 0),
      knot(0.22, 0.1),
      knot(0.18, waist * 0.65),
      knot(0.34, waist),
      ...bowl(dice, waist).slice(2),
    ],
  ];
}

/** From the neck around to the lower left. */
function bowl(dice: Dice, waist: number): Knot[] {
  const height = 1 - waist + dice.around(0.06, 0.03);
  return arc({
    x: dice.around(0.29, 0.03),
    y: 1 - height / 2,
    width: dice.between(0.42, 0.74),
    height,
    from: dice.around(-95, 14),
    to: dice.around(145, 22),
  });
}
