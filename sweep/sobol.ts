/**
 * Points that fill a cube evenly: Sobol's sequence in Gray code (Antonov and Saleev 1979; Bratley and Fox 1988), with the
 * direction numbers of Joe and Kuo (2008) and a digital shift, which keeps how even they are and takes no point as its first.
 */
import { UsageError } from '../lib/core/errors.js';
import type { RandomStream } from '../lib/core/random.js';

/** Digits of a coordinate, in base 2. */
const BITS = 32;

/** From the second dimension on: inner coefficients of the primitive polynomial, and the first direction numbers. */
const POLYNOMIALS: readonly (readonly [a: number, m: readonly number[]])[] = [
  [0, [1]],
  [1, [1, 3]],
  [1, [1, 3, 1]],
  [2, [1, 1, 1]],
  [1, [1, 1, 3, 3]],
  [4, [1, 3, 5, 13]],
  [2, [1, 1, 5, 5, 17]],
  [4, [1, 1, 5, 5, 5]],
  [7, [1, 1, 7, 11, 19]],
  [11, [1, 1, 5, 1, 1]],
  [13, [1, 1, 1, 3, 11]],
  [14, [1, 3, 5, 5, 31]],
  [1, [1, 3, 3, 9, 7, 49]],
  [13, [1, 1, 1, 15, 21, 21]],
  [16, [1, 3, 1, 13, 27, 49]],
  [19, [1, 1, 1, 15, 7, 5]],
];

/** Axes that it can spread points over. */
const MOST_DIMENSIONS = POLYNOMIALS.length + 1;

/**
 * The points, one after the other and without end, each coordinate at least 0 and below 1.
 *
 * @param shift where the digital shift of each dimension comes from; without one the sequence begins at 0
 * @throws {UsageError} for more dimensions than there are direction numbers for
 */
export function* sobolPoints(
  dimensions: number,
  shift?: Pick<RandomStream, 'uint32'>,
): Generator<readonly number[], never> {
  if (dimensions > MOST_DIMENSIONS) {
    throw new UsageError(
      `--sobol takes ${MOST_DIMENSIONS} axes at most, found ${dimensions}: --random takes any number.`,
    );
  }
  const directions = Array.from({ length: dimensions }, (_, dimension) => directionNumbers(dimension));
  const state = directions.map(() => shift?.uint32() ?? 0);
  for (let index = 0; ; index++) {
    yield state.map((digits) => digits / 2 ** BITS);
    // The lowest digit of the index that is 0: the one in which its Gray code changes.
    const changed = 31 - Math.clz32(~index & (index + 1));
    directions.forEach((numbers, dimension) => {
      state[dimension] = ((state[dimension] as number) ^ (numbers[changed] as number)) >>> 0;
    });
  }
}

/** The numbers of a dimension, the first digit's first. */
function directionNumbers(dimension: number): Uint32Array {
  const numbers = new Uint32Array(BITS);
  const [a, m] = dimension === 0 ? [0, []] : (POLYNOMIALS[dimension - 1] as (typeof POLYNOMIALS)[number]);
  const degree = m.length;
  for (let at = 0; at < BITS; at++) {
    if (dimension === 0) numbers[at] = 2 ** (BITS - 1 - at);
    else if (at < degree) numbers[at] = (m[at] as number) * 2 ** (BITS - 1 - at);
    else {
      const before = numbers[at - degree] as number;
      let value = before ^ (before >>> degree);
      for (let term = 1; term < degree; term++) {
        if ((a >> (degree - 1 - term)) & 1) value ^= numbers[at - term] as number;
      }
      numbers[at] = value;
    }
  }
  return numbers;
}
