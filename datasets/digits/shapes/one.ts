/** 1: nearly always a plain stroke; sometimes with a flag, seldom with a flag and a base. */
import type { Dice } from '../dice.js';
import { corner, knot, type Stroke } from '../strokes.js';

/** Ways of writing a 1. */
export function one(dice: Dice): Stroke[] {
  return dice.pick([
    [82, plain],
    [10, flagged],
    [8, based],
  ])(dice);
}

function plain(dice: Dice): Stroke[] {
  const lean = dice.around(0.1, 0.14);
  return [[knot(0.5 + lean / 2, 0), knot(0.5 + dice.around(0, 0.025), 0.5), knot(0.5 - lean / 2, 1)]];
}

function flagged(dice: Dice): Stroke[] {
  const flag = dice.between(0.1, 0.3);
  return [[knot(0.5 - flag, flag * dice.between(0.6, 1.1)), corner(0.5, 0), knot(0.5, 0.5), knot(0.5, 1)]];
}

function based(dice: Dice): Stroke[] {
  const left = dice.between(0.15, 0.32);
  const right = dice.between(0.15, 0.32);
  const tilt = dice.around(0, 0.03);
  return [...flagged(dice), [knot(0.5 - left, 1 + tilt), knot(0.5, 1), knot(0.5 + right, 1 - tilt)]];
}
