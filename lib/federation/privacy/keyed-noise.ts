/**
 * Noise from a secret key: whoever knows the key can draw the noise of a round's sum again, and nobody else can tell it
 * from the system's. As a nonce of RFC 6979 it depends on what it hides: a round that is done again after a kill, from the
 * same updates, is the same model; from other updates it gets other noise, so that the difference of the two models does
 * not give the difference of the updates away. HMAC-SHA-256 makes a key of its own for each sum, and AES-256 in counter
 * mode the bits.
 */
import { createCipheriv, createHmac } from 'node:crypto';
import type { RandomStream } from '../../core/random.js';

/** A sum that gets noise. */
export interface Draw {
  readonly round: number;
  /** sha256 of everything that the sum and the size of its noise depend on. */
  readonly inputs: string;
}

/** Where noise comes from. */
export type NoiseSource = (draw: Draw) => BitSource;

/** Bytes that are made at a time. */
const POOL_BYTES = 65_536;

/** The bits that belong to a draw under this key of 32 bytes. */
export function keyedBits(key: Uint8Array, draw: Draw): BitSource {
  const cipher = createCipheriv('aes-256-ctr', derived(key, 'bits', draw), Buffer.alloc(16));
  const zeros = Buffer.alloc(POOL_BYTES);
  let pool = zeros;
  let next = POOL_BYTES;
  return {
    uint32() {
      if (next === POOL_BYTES) {
        pool = cipher.update(zeros);
        next = 0;
      }
      next += 4;
      return pool.readUInt32LE(next - 4);
    },
  };
}

/** A name for the draw that tells nothing of the sum to who has not the key. */
export function drawName(key: Uint8Array, draw: Draw): string {
  return derived(key, 'name', draw).toString('hex');
}

function derived(key: Uint8Array, use: 'bits' | 'name', { round, inputs }: Draw): Buffer {
  return createHmac('sha256', key)
    .update(JSON.stringify(['fedbatch noise', use, round, inputs]))
    .digest();
}

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
