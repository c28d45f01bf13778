/** A writer's hand: how all strokes of one digit lean, stretch, bend and tremble, and how heavy the pen is. */
import type { Dice } from './dice.js';
import type { Point } from './spline.js';
import type { Knot, Stroke } from './strokes.js';
import { createWarp, type Warp } from './warp.js';

/** One writer on one occasion. Lengths are in heights of a digit, radii in pixels of a 20 × 20 box. */
export interface Hand {
  /** How far a knot strays. */
  readonly tremor: number;
  /** Sideways shift per height; positive leans to the right. */
  readonly slant: number;
  readonly rotationRadians: number;
  /** Width where that of the shape is 1. */
  readonly stretch: number;
  /** Smooth bending of the whole digit. */
  readonly warp: Warp;
  readonly penRadius: number;
  /** How much the pen's width changes along a stroke, as a share of its radius. */
  readonly pressure: number;
  /** How ragged the stroke's edge is, as a share of its radius. */
  readonly grain: number;
  /** Width of the soft rim of a stroke, in pixels. */
  readonly softness: number;
}

/** A hand as the people whose digits MNIST holds had: mostly leaning right, from hairline to felt pen. */
export function rollHand(dice: Dice): Hand {
  const heavy = dice.around(0, 1);
  return {
    tremor: dice.between(0.002, 0.011),
    slant: dice.around(0.18, 0.24),
    rotationRadians: dice.around(0, 0.1),
    stretch: Math.exp(dice.around(0.06, 0.18)),
    warp: createWarp(dice),
    penRadius: 1.24 * Math.exp(heavy * 0.25),
    pressure: dice.between(0.04, 0.25),
    grain: dice.between(0, 0.1),
    softness: dice.between(0.9, 1.5),
  };
}

/** The knots of `stroke` as a trembling hand meets them. */
export function tremble(stroke: Stroke, { tremor }: Hand, dice: Dice): Stroke {
  return stroke.map(
    (each): Knot => ({
      ...each,
      x: dice.around(each.x, tremor),
      y: dice.around(each.y, tremor),
    }),
  );
}

/** A drawn line as the hand leans, stretches, turns and bends it. */
export function lay(line: readonly Point[], hand: Hand): Point[] {
  const cos = Math.cos(hand.rotationRadians);
  const sin = Math.sin(hand.rotationRadians);
  return line.map((point) => {
    const { x, y } = hand.warp(point);
    const leaning = x * hand.stretch + hand.slant * (0.5 - y);
    return { x: cos * leaning - sin * y, y: sin * leaning + cos * y };
  });
}
