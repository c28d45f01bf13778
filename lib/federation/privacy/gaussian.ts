/** Gaussian noise for privacy: from a secure source, or from a seeded stream for experiments that must repeat. */
import { randomFillSync } from 'node:crypto';
import type { RandomStream } from '../random.js';

/** A source of random bits. */
export type BitSource = Pick<RandomStream, 'uint32'>;

/** Words that are drawn from the operating system at a time. */
const POOL_WORDS = 16_384;

/** Bits from the operating system's cryptographic generator: nobody can draw them again. */
export function systemBits(): BitSource {
  const pool = new Uint32Array(POOL_WORDS);
  let next = POOL_WORDS;
  return {
    uint32() {
      if (next === POOL_WORDS) {
        randomFillSync(pool);
        next = 0;
      }
      return pool[next++] as number;
    },
  };
}

/**
 * Numbers of the standard normal distribution (Box and Muller 1958), from 53 random bits each way: with the 24 bits of
 * other streams none would lie beyond 5.8, and a model has so many parameters that the tail counts.
 */
export function normals(bits: BitSource): () => number {
  // In (0, 1], so that the logarithm is finite.
  const uniform = () => ((bits.uint32() >>> 5) * 2 ** 26 + (bits.uint32() >>> 6) + 1) * 2 ** -53;
  let spare: number | undefined;
  return () => {
    if (spare !== undefined) {
      const value = spare;
      spare = undefined;
      return value;
    }
    const radius = Math.sqrt(-2 * Math.log(uniform()));
    const angle = 2 * Math.PI * uniform();
    spare = radius * Math.sin(angle);
    return radius * Math.cos(angle);
  };
}
