/** How a request says that its numbers are not what was expected, and the bounds that they are all read within. */
import { HttpProblem } from '../../lib/http/problems.js';

/** Largest 32-bit float. */
export const MAX_FLOAT = 3.4028234663852886e38;
/** A batch of images has four dimensions. */
export const MOST_DIMENSIONS = 8;

/** A 400 that says what was expected and what was found. */
export function bad(expected: string, found: string): HttpProblem {
  return new HttpProblem(400, `Expected ${expected}, found ${found}.`);
}
