/** 5: a bar, a neck down to the middle and a bowl; in one stroke, with the bar added last, or curved like an S. */
import type { Dice } from '../dice.js';
import { arc, corner, type Knot, knot, type Stroke } from '../strokes.js';

/** Ways of writing a 5. */
export function five(dice: Dice): Stroke[] {
  const build = {
    waist: dice.around(0.4, 0.081),
    lean: dice.around(0.06, 0.081),
    rise: dice.around(0.05, 0.069),
  };
  return dice.pick([
    [45, oneStroke],
    [38, barLast],
    [17, curved],
  ])(dice, build);
}

/** What all three ways share. */
interface Build {
  /** Height at which the neck ends and the bowl begins. */
  readonly waist: number;
  /** How far the neck's top lies to the right of its foot. */
  readonly lean: number;
  /** How much higher the bar ends on the right. */
  readonly rise: number;
}

const LEFT = 0.2;

function oneStroke(dice: Dice, { waist, lean, rise }: Build): Stroke[] {
  const top = LEFT + lean;
  return [
    [
      knot(dice.around(0.74, 0.15), 0.04 - rise),
      knot((top + 0.74) / 2, 0.04 - rise * 0.4),
      corner(top, 0.04),
      corner(LEFT + dice.around(0, 0.023), waist),
      ...bowl(dice, waist),
    ],
  ];
}

function barLast(dice: Dice, { waist, lean, rise }: Build): Stroke[] {
  const top = LEFT + lean;
  const start = top + dice.around(0.03, 0.069);
  const height = dice.around(0.03, 0.034);
  return [
    [knot(top, 0.05), corner(LEFT + dice.around(0, 0.023), waist), ...bowl(dice, waist)],
    [
      knot(start, height),
      knot(start + 0.25, height - rise * 0.5),
      knot(dice.around(0.77, 0.16), height - rise - 0.01),
    ],
  ];
}

function curved(dice: Dice, { waist, lean, rise }: Build): Stroke[] {
  return [
    [
      knot(dice.around(0.68, 0.14), 0.04 - rise),
      knot(LEFT + lean + 0.2, 0.02 - rise * 0.3),
      knot(LEFT + lean, 0.1),
      knot(LEFT + dice.around(0, 0.034), waist * dice.around(0.68, 0.092)),
      knot(0.36, waist + 0.02),
      ...bowl(dice, waist).slice(2),
    ],
  ];
}

/** From the neck around to the lower left. */
function bowl(dice: Dice, waist: number): Knot[] {
  const height = 1 - waist + dice.around(0.05, 0.046);
  return arc({
    x: dice.around(0.29, 0.046),
    y: 1 - height / 2,
    width: dice.between(0.34, 0.78),
    height,
    from: dice.around(-98, 21),
    to: dice.around(145, 32),
    tilt: dice.around(0, 9.2),
  });
}
