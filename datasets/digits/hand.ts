/** A writer's hand: how all strokes of one digit lean, stretch, bend and tremble, and the pen, which gives a line its thickness. */
import type { Point } from './spline.js';
import type { Dice, Knot, Stroke } from './strokes.js';
import { createWarp, type Warp } from './warp.js';

/** One writer on one occasion. Lengths are in heights of a digit, radii in pixels of a 20 × 20 box. */
interface Hand {
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

/** A round blot of the pen. */
export interface Blot extends Point {
  readonly radius: number;
}

/** A stroke as it lies on the paper: blots that touch. */
export type Ink = readonly Blot[];

/** The thinnest line that a pen leaves, in pixels of a 20 × 20 box. */
const THINNEST_RADIUS = 0.45;

/** Inks a line: two slow waves of pressure along it, lighter where the pen comes down and leaves. */
export function ink(line: readonly Point[], hand: Hand, dice: Dice): Ink {
  const slow = dice.between(0, 2 * Math.PI);
  const quick = dice.between(0, 2 * Math.PI);
  const taper = dice.between(0, hand.pressure);
  return line.map(({ x, y }, at) => {
    const share = line.length > 1 ? at / (line.length - 1) : 0;
    const wave = Math.sin(slow + 4 * share) + 0.5 * Math.sin(quick + 17 * share);
    const end = Math.abs(2 * share - 1);
    const radius =
      hand.penRadius *
      (1 + hand.pressure * wave * 0.8 - taper * end * end * end + dice.around(0, hand.grain));
    return { x, y, radius: Math.max(THINNEST_RADIUS, radius) };
  });
}
