/** 3: two bowls open to the left that meet in a cusp, a soft bend or a small loop; some have a flat top. */
import type { Dice } from '../dice.js';
import { arc, corner, type Knot, knot, type Stroke } from '../strokes.js';

/** Ways of writing a 3. */
export function three(dice: Dice): Stroke[] {
  const waist = dice.around(0.46, 0.069);
  const top = dice.happens(0.1) ? flatTop(dice, waist) : roundTop(dice, waist);
  const middle = dice.pick([
    [60, cusp],
    [25, bend],
    [15, loop],
  ])(dice, waist);
  return [[...top, ...middle, ...lowerBowl(dice, waist)]];
}

function roundTop(dice: Dice, waist: number): Knot[] {
  return arc({
    x: 0.32,
    y: waist / 2,
    width: dice.between(0.34, 0.68),
    height: waist,
    from: dice.around(-155, 23),
    to: dice.around(48, 12),
  });
}

function flatTop(dice: Dice, waist: number): Knot[] {
  const right = dice.around(0.58, 0.069);
  return [
    knot(dice.around(0.08, 0.057), dice.around(0.03, 0.023)),
    knot(0.35, 0.01),
    corner(right, 0.02),
    knot((right + 0.3) / 2, waist * 0.55),
  ];
}

function cusp(dice: Dice, waist: number): Knot[] {
  return [corner(dice.around(0.26, 0.081), waist + dice.around(0, 0.023))];
}

function bend(dice: Dice, waist: number): Knot[] {
  return [knot(dice.around(0.36, 0.057), waist)];
}

function loop(dice: Dice, waist: number): Knot[] {
  const x = dice.around(0.2, 0.057);
  const size = dice.between(0.03, 0.07);
  return [knot(x + size, waist + size * 0.4), knot(x, waist), knot(x + size, waist - size * 0.5)];
}

function lowerBowl(dice: Dice, waist: number): Knot[] {
  const height = 1 - waist;
  return arc({
    x: dice.around(0.3, 0.046),
    y: waist + height / 2,
    width: dice.between(0.42, 0.84),
    height,
    from: dice.around(-50, 12),
    to: dice.around(148, 26),
  });
}
