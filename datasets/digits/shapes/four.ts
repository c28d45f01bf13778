/** 4: open at the top with a sharp or a cupped left side, or closed; the stem crosses the bar or ends it. */
import type { Dice } from '../dice.js';
import { corner, knot, type Stroke } from '../strokes.js';

/** Ways of writing a 4. */
export function four(dice: Dice): Stroke[] {
  return dice.pick([
    [52, open],
    [26, cupped],
    [14, closed],
    [8, joined],
  ])(dice);
}

/** A sharp left corner; the bar crosses the stem. */
function open(dice: Dice): Stroke[] {
  const bar = dice.around(0.55, 0.06);
  const left = dice.around(0.04, 0.05);
  const stem = dice.around(0.5, 0.05);
  return [
    [
      knot(dice.around(0.16, 0.08), dice.around(0.06, 0.06)),
      knot(dice.around(0.09, 0.03), bar * 0.55),
      corner(left, bar),
      knot(stem * 0.6, bar + dice.around(0, 0.02)),
      knot(stem + dice.around(0.14, 0.09), bar - dice.around(0.03, 0.04)),
    ],
    stemStroke(dice, stem),
  ];
}

/** The left side and the bar are one curve, like a u. */
function cupped(dice: Dice): Stroke[] {
  const bar = dice.around(0.52, 0.06);
  const stem = dice.around(0.5, 0.05);
  return [
    [
      knot(dice.around(0.1, 0.05), dice.around(0.04, 0.05)),
      knot(0.05, bar * 0.6),
      knot(0.13, bar * 0.97),
      knot(0.3, bar),
      knot(stem + dice.around(0.02, 0.06), bar - dice.around(0.08, 0.06)),
    ],
    stemStroke(dice, stem),
  ];
}

/** A triangle on a stem, in one or two strokes. */
function closed(dice: Dice): Stroke[] {
  const bar = dice.around(0.62, 0.05);
  const stem = dice.around(0.48, 0.04);
  const top = knot(stem + dice.around(0, 0.03), dice.around(0, 0.02));
  return [
    [top, corner(dice.around(0.02, 0.04), bar), knot(stem + dice.around(0.16, 0.06), bar)],
    [top, knot(stem, 0.5), knot(stem + dice.around(0, 0.03), 1)],
  ];
}

/** Without lifting the pen: down, along the bar, up, and down the stem. */
function joined(dice: Dice): Stroke[] {
  const bar = dice.around(0.5, 0.05);
  const stem = dice.around(0.5, 0.04);
  return [
    [
      knot(dice.around(0.12, 0.05), dice.around(0.05, 0.04)),
      knot(0.05, bar * 0.7),
      knot(0.16, bar),
      knot(0.36, bar * 0.8),
      corner(stem, dice.around(0.04, 0.05)),
      knot(stem - 0.03, 0.55),
      knot(stem - 0.06, 1),
    ],
  ];
}

function stemStroke(dice: Dice, x: number): Stroke {
  const lean = dice.around(0.04, 0.06);
  return [
    knot(x + lean, dice.around(0.08, 0.09)),
    knot(x + dice.around(0, 0.015), 0.55),
    knot(x - lean * 0.6, 1),
  ];
}
