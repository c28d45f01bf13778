/** Gaussian noise for privacy, out of random bits. */
import type { RandomStream } from '../../core/random.js';

/** A source of random bits. */
export type BitSource = Pick<RandomStream, 'uint32'>;

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
