/** The pen: gives a line its thickness, which changes slowly along each stroke. */
import type { Dice } from './dice.js';
import type { Hand } from './hand.js';
import type { Point } from './spline.js';

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
