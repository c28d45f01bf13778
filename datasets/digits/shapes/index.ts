/** The shapes of the ten digits, by label. */
import type { Shape } from '../strokes.js';
import { eight } from './eight.js';
import { five } from './five.js';
import { four } from './four.js';
import { nine } from './nine.js';
import { one } from './one.js';
import { seven } from './seven.js';
import { six } from './six.js';
import { three } from './three.js';
import { two } from './two.js';
import { zero } from './zero.js';

const SHAPES: readonly Shape[] = [zero, one, two, three, four, five, six, seven, eight, nine];

/** The shape of the digit `label`. @throws {RangeError} when that is not a digit. */
export function shapeOf(label: number): Shape {
  const shape = SHAPES[label];
  if (shape === undefined) throw new RangeError(`expected a digit from 0 to 9, found ${label}`);
  return shape;
}
