/** 2, 3 and 5: digits of open curves. */
import { arc, corner, type Dice, type Knot, knot, type Stroke } from '../strokes.js';

/**
 * Ways of writing a 2: a hook over the top, a slope to the lower left, then a base: from a sharp corner, a curve,
 * or a loop.
 */
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

/**
 * Ways of writing a 3: two bowls open to the left that meet in a cusp, a soft bend or a small loop; some have a
 * flat top.
 */
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

/**
 * Ways of writing a 5: a bar, a neck down to the middle and a bowl; in one stroke, with the bar added last, or
 * curved like an S.
 */
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
