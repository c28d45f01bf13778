/** 8: an S that turns back and crosses itself, or two rings, one on the other. */
import type { Dice } from '../dice.js';
import { arc, type Knot, knot, type Stroke } from '../strokes.js';

/** Ways of writing an 8. */
export function eight(dice: Dice): Stroke[] {
  return dice.pick([
    [88, crossing],
    [12, rings],
  ])(dice);
}

/** One stroke from the upper right: over the top, through the waist, around the bottom and back up. */
function crossing(dice: Dice): Stroke[] {
  const waist = dice.around(0.46, 0.05);
  const upper = dice.between(0.34, 0.58);
  const lower = dice.between(0.36, 0.62);
  const x = 0.4;
  const gap = dice.around(0.02, 0.06);
  const tail: Knot[] = [
    knot(x + dice.around(0, 0.02), waist + dice.around(0, 0.02)),
    knot(x + upper * 0.36, waist * 0.6),
    knot(x + upper * 0.4 + gap, waist * 0.25 - gap * 0.5),
  ];
  return [
    [
      ...arc({ x, y: waist / 2, width: upper, height: waist, from: dice.around(-35, 18), to: -210 }),
      knot(x, waist),
      ...arc({ x, y: (1 + waist) / 2, width: lower, height: 1 - waist, from: -25, to: 205 }),
      ...tail,
    ],
  ];
}

function rings(dice: Dice): Stroke[] {
  const waist = dice.around(0.46, 0.05);
  const from = dice.around(-90, 20);
  return [
    arc({ x: 0.4, y: waist / 2, width: dice.between(0.34, 0.56), height: waist, from, to: from - 365 }),
    arc({
      x: 0.4 + dice.around(0, 0.03),
      y: (1 + waist) / 2,
      width: dice.between(0.36, 0.62),
      height: 1 - waist,
      from,
      to: from + 365,
    }),
  ];
}
