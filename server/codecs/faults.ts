/** How a request says that its numbers are not what was expected, and how deep they may lie. */
import { HttpProblem } from '../../lib/http/problems.js';

/** A batch of images has four dimensions. */
export const MOST_DIMENSIONS = 8;

/** A 400 that says what was expected and what was found. */
export function bad(expected: string, found: string): HttpProblem {
  return new HttpProblem(400, `Expected ${expected}, found ${found}.`);
}
