/** 2: a hook over the top, a slope to the lower left, then a base: from a sharp corner, a curve, or a loop. */
import type { Dice } from '../dice.js';
import { arc, corner, type Knot, knot, type Stroke } from '../strokes.js';

/** Ways of writing a 2. */
export function two(dice: Dice): Stroke[] {
  const base = dice.pick([
    [45, sharpBase],
    [47, loopedBase],
    [8, roundBase],
  ]);
  return [[...hook(dice), ...base(dice)]];
}

/** From the left end over the top to where the slope begins. */
function hook(dice: Dice): Knot[] {
  const width = dice.between(0.26, 0.66);
  const height = dice.between(0.26, 0.6);
  return arc({
    x: 0.42,
    y: height / 2,
    width,
    height,
    from: dice.around(-170, 42),
    to: dice.around(15, 18),
    drift: dice.around(1.02, 0.12),
  });
}

function sharpBase(dice: Dice): Knot[] {
  const left = dice.around(0.06, 0.1);
  const right = dice.around(0.78, 0.21);
  const bend = dice.around(0, 0.05);
  const bottom = dice.around(0.95, 0.05);
  return [
    knot(dice.around(0.4, 0.075), 0.66),
    corner(left, bottom),
    knot((left + right) / 2, bottom + bend),
    knot(right, bottom + dice.around(0, 0.088)),
  ];
}

/** The slope ends in a loop, drawn with the clock, that lies around the base's left end. */
function loopedBase(dice: Dice): Knot[] {
  const width = dice.between(0.12, 0.36);
  const height = dice.between(0.08, 0.26);
  const x = dice.around(0.18, 0.062);
  const bottom = dice.around(0.96, 0.037);
  return [
    knot(0.42 + dice.around(0, 0.037), 0.66),
    knot(x + width * 0.35, bottom - height * 0.15),
    knot(x, bottom),
    knot(x - width * 0.5, bottom - height * 0.45),
    knot(x, bottom - height),
    knot(x + width * 0.7, bottom - height * 0.55),
    knot(dice.around(0.62, 0.075), dice.around(0.95, 0.062)),
    knot(dice.around(0.88, 0.16), dice.around(0.93, 0.1)),
  ];
}

function roundBase(dice: Dice): Knot[] {
  return [
    knot(0.4, 0.62),
    knot(0.16, 0.84),
    knot(0.16, 0.98),
    knot(0.45, 1),
    knot(dice.around(0.78, 0.1), dice.around(0.95, 0.05)),
  ];
}
