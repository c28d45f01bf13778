/** 8: an S that turns back and crosses itself, or two rings, one on the other. */
import type { Dice } from '../dice.js';
import { arc, type Knot, knot, type Stroke } from '../strokes.js';

/** Ways of writing an 8. */
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
