/** Smooth random bending of the plane: what elastic distortion does to an image, done to the pen's line. */
import type { Point } from './spline.js';
import type { Dice } from './strokes.js';

/** Moves a point a little, neighbouring points alike. */
export type Warp = (point: Point) => Point;

interface Wave {
  readonly alongX: number;
  readonly alongY: number;
  readonly phase: number;
  readonly shiftX: number;
  readonly shiftY: number;
}

const WAVES = 3;
/** Size of each wave's shift, in heights of a digit. */
const SHIFT = 0.025;
/** Bends over a digit's height, in radians: from half a wave to a whole one and more. */
const FREQUENCY = 3.2;

/** A warp made of a few sine waves in random directions. */
export function createWarp(dice: Dice): Warp {
  const waves = Array.from(
    { length: WAVES },
    (): Wave => ({
      alongX: dice.around(0, FREQUENCY),
      alongY: dice.around(0, FREQUENCY),
      phase: dice.between(0, 2 * Math.PI),
      shiftX: dice.around(0, SHIFT),
      shiftY: dice.around(0, SHIFT),
    }),
  );
  return ({ x, y }) => {
    let toX = x;
    let toY = y;
    for (const wave of waves) {
      const sine = Math.sin(wave.alongX * x + wave.alongY * y + wave.phase);
      toX += wave.shiftX * sine;
      toY += wave.shiftY * sine;
    }
    return { x: toX, y: toY };
  };
}
