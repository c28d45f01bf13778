/** 2: a hook over the top, a slope to the lower left, then a base: from a sharp corner, a curve, or a loop. */
import type { Dice } from '../dice.js';
import { arc, corner, type Knot, knot, type Stroke } from '../strokes.js';

/** Ways of writing a 2. */
export function two(dice: Dice): Stroke[] {
  const base = dice.pick([
    [50, sharpBase],
    [40, loopedBase],
    [10, roundBase],
  ]);
  return [[...hook(dice), ...base(dice)]];
}

/** From the left end over the top to where the slope begins. */
function hook(dice: Dice): Knot[] {
  const width = dice.between(0.36, 0.62);
  const height = dice.between(0.36, 0.56);
  return arc({
    x: 0.38,
    y: height / 2,
    width,
    height,
    from: dice.around(-165, 22),
    to: dice.around(18, 14),
    drift: dice.around(1.05, 0.08),
  });
}

function sharpBase(dice: Dice): Knot[] {
  const left = dice.around(0.06, 0.06);
  const right = dice.around(0.78, 0.1);
  const bend = dice.around(0, 0.04);
  return [
    knot(0.38 + dice.around(0, 0.03), 0.68),
    corner(left, 0.97),
    knot((left + right) / 2, 0.96 + bend),
    knot(right, 0.96 + dice.around(0, 0.05)),
  ];
}

function loopedBase(dice: Dice): Knot[] {
  const size = dice.between(0.08, 0.24);
  const x = dice.around(0.12, 0.04);
  const bottom = 0.93;
  const right = dice.around(0.8, 0.1);
  return [
    knot(0.4, 0.64),
    knot(x + size * 0.5, bottom - size * 0.15),
    knot(x, bottom),
    knot(x - size * 0.45, bottom - size * 0.35),
    knot(x, bottom - size * 0.85),
    knot(x + size * 0.9, bottom - size * 0.45),
    knot(0.5, dice.around(0.97, 0.03)),
    knot(right, dice.around(0.92, 0.06)),
  ];
}

function roundBase(dice: Dice): Knot[] {
  return [
    knot(0.4, 0.62),
    knot(0.16, 0.84),
    knot(0.16, 0.98),
    knot(0.45, 1),
    knot(dice.around(0.78, 0.08), dice.around(0.95, 0.04)),
  ];
}
