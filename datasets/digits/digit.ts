/** Writes one handwritten-like digit: a shape, drawn by a hand, with a pen. */
import type { RandomStream } from '../../lib/core/random.js';
import { type Ink, ink, lay, rollHand, tremble } from './hand.js';
import { BOX_SIZE, centreByMass, fitIntoBox } from './place.js';
import { rasterise } from './rasterise.js';
import { eight, nine, six, zero } from './shapes/closed-digits.js';
import { five, three, two } from './shapes/open-digits.js';
import { four, one, seven } from './shapes/straight-digits.js';
import { drawLine } from './spline.js';
import { createDice, type Shape } from './strokes.js';

/** A digit in ink, in a 20 × 20 box whatever the resolution it is drawn at. */
interface WrittenDigit {
  readonly strokes: readonly Ink[];
  /** Width of the strokes' soft rim at 20 × 20 pixels. */
  readonly softness: number;
}

/** Writes the digit `label` (0 to 9): a shape, drawn by a hand, with a pen, fitted into the box. */
export function writeDigit(label: number, random: RandomStream): WrittenDigit {
  const dice = createDice(random);
  const shape = shapeOf(label);
  const hand = rollHand(dice);
  const strokes = shape(dice).map((stroke) =>
    ink(lay(drawLine(tremble(stroke, hand, dice)), hand), hand, dice),
  );
  return { strokes: fitIntoBox(strokes, BOX_SIZE), softness: hand.softness };
}

/** The digit `label` as MNIST stores one: `[28, 28]`, white on black, centred by its centre of mass. */
export function drawDigit(label: number, random: RandomStream): Uint8Array {
  const { strokes, softness } = writeDigit(label, random);
  return centreByMass(rasterise(strokes, { size: BOX_SIZE, scale: 1, softness }));
}

const SHAPES: readonly Shape[] = [zero, one, two, three, four, five, six, seven, eight, nine];

/** The shape of the digit `label`. @throws {RangeError} when that is not a digit. */
function shapeOf(label: number): Shape {
  const shape = SHAPES[label];
  if (shape === undefined) throw new RangeError(`expected a digit from 0 to 9, found ${label}`);
  return shape;
}
