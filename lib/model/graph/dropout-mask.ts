/** The masks of Dropout: a counter-based hash of seed, step, example and position, the same on every engine. */

/** Odd constants with well-spread bits: 2^32 / golden ratio, and the multipliers of the hash `lowbias32` (Wellons). */
const GOLDEN = 0x9e3779b1;
export const MIX_1 = 0x7feb352d;
export const MIX_2 = 0x846ca68b;

/** Where a layer's random numbers begin: its place among the model's operations. */
type Salt = number;

/** The word of each position of one example, images channels first; hashed with an example's seed it decides. */
export function positionWords(salt: Salt, size: number): Uint32Array {
  return Uint32Array.from({ length: size }, (_, index) => Math.imul(salt * 0x10001 + index + 1, GOLDEN));
}

/** Hashes below this keep their element. */
export function keepBelow(rate: number): number {
  return Math.min(0xffffffff, Math.round((1 - rate) * 2 ** 32));
}

/** Settings of the masks of one layer. */
interface MaskSettings {
  readonly rate: number;
  readonly salt: Salt;
  /** Of one example, channels last: `[h, w, c]` or `[features]`. */
  readonly shape: readonly number[];
}

/** Makes masks `[n, ...shape]` from one seed per example: 0 with probability `rate`, else 1 / (1 - rate). */
export function maskMaker({ rate, salt, shape }: MaskSettings): (rowSeeds: Uint32Array) => Float32Array {
  const words = channelsLast(
    positionWords(
      salt,
      shape.reduce((size, extent) => size * extent, 1),
    ),
    shape,
  );
  const limit = keepBelow(rate);
  const kept = 1 / (1 - rate);
  return (rowSeeds) => {
    const mask = new Float32Array(rowSeeds.length * words.length);
    for (const [row, seed] of rowSeeds.entries()) {
      const base = row * words.length;
      for (let at = 0; at < words.length; at++) {
        let hash = Math.imul(seed ^ (words[at] as number), MIX_1);
        hash = Math.imul(hash ^ (hash >>> 15), MIX_2) >>> 0;
        mask[base + at] = hash < limit ? kept : 0;
      }
    }
    return mask;
  };
}

/** Numbers given in the order of [c, h, w] in that of [h, w, c]; others as they are. */
function channelsLast(words: Uint32Array, shape: readonly number[]): Uint32Array {
  const channels = shape.at(-1) ?? 1;
  if (shape.length !== 3) return words;
  const pixels = words.length / channels;
  return words.map((_, at) => words[(at % channels) * pixels + Math.floor(at / channels)] as number);
}
