/** Named random streams: everything random in a run derives from one seed and a name. */
import { createHash } from 'node:crypto';
import { uniformFloat32 } from 'pure-rand/distribution/uniformFloat32';
import { uniformInt } from 'pure-rand/distribution/uniformInt';
import { xoroshiro128plusFromState } from 'pure-rand/generator/xoroshiro128plus';

/** A repeatable source of random numbers (xoroshiro128+, Blackman and Vigna 2018). */
export interface RandomStream {
  /** The next integer in [0, 2^32). */
  uint32(): number;
  /** The next number in [0, 1), a multiple of 2^-24. */
  uniform(): number;
  /** The next integer in [from, to], both included. */
  integer(from: number, to: number): number;
  /** The next number of the standard normal distribution (Box and Muller 1958). */
  normal(): number;
}

/**
 * The stream that belongs to `seed` and `path`, e.g. `randomStream(7, 'shuffle', 'client', 3, 'epoch', 1)`.
 * Streams of different paths are independent: drawing more from one never changes another.
 */
export function randomStream(seed: number, ...path: readonly (string | number)[]): RandomStream {
  const digest = createHash('sha256')
    .update(JSON.stringify([seed, ...path]))
    .digest();
  const generator = xoroshiro128plusFromState([0, 4, 8, 12].map((at) => digest.readInt32LE(at)));
  const uniform = () => uniformFloat32(generator);
  return {
    uint32: () => generator.next() >>> 0,
    uniform,
    integer: (from, to) => uniformInt(generator, from, to),
    normal: () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform()),
  };
}

/** Shuffles in place (Fisher and Yates) and returns its argument. */
export function shuffle<A extends { [index: number]: number; readonly length: number }>(
  items: A,
  random: RandomStream,
): A {
  for (let last = items.length - 1; last > 0; last--) {
    const pick = random.integer(0, last);
    const held = items[last] as number;
    items[last] = items[pick] as number;
    items[pick] = held;
  }
  return items;
}

/** The numbers 0 … count-1 in a random order. */
export function permutation(count: number, random: RandomStream): Uint32Array {
  const numbers = new Uint32Array(count);
  for (let at = 0; at < count; at++) numbers[at] = at;
  return shuffle(numbers, random);
}
