/**
 * Sums of float64 numbers without rounding, element by element: they depend on neither the order nor the grouping of
 * what is added. Two numbers hold a sum, and what addition rounds off goes from the first to the second by Knuth's
 * error-free TwoSum (Shewchuk 1997, Adaptive Precision Floating-Point Arithmetic, theorem 7). The few elements for
 * which 106 bits are not enough keep the rest as whole numbers.
 */

/** Running sums of equally long arrays. */
interface ExactSums {
  /** Adds `weight` times the values, each product rounded to float64 (exact for float32 and weights below 2^29). */
  add(values: Float32Array | Float64Array, weight?: number): void;
  /** Adds the first `count` values to one element: several times as fast as one at a time. */
  addRun(at: number, values: Float64Array, count: number): void;
  /**
   * The sums as arrays that add up to them: first the sums rounded to float64, then what that left of them, rounded,
   * and so on until nothing is left. The same sums give the same arrays, mostly one or two.
   */
  parts(): readonly Float64Array[];
  /** The sums rounded to float64, once. */
  rounded(): Float64Array;
}

/** Sums of nothing yet. */
export function createExactSums(length: number): ExactSums {
  const high = new Float64Array(length);
  const low = new Float64Array(length);
  /** What 106 bits do not hold, by element. */
  const rest = new Map<number, bigint>();

  const keepRest = (at: number, left: number) => rest.set(at, (rest.get(at) ?? 0n) + toUnits(left));
  const rounded = (): Float64Array => {
    const sums = new Float64Array(length);
    for (let at = 0; at < length; at++) sums[at] = (high[at] as number) + (low[at] as number);
    for (const [at, more] of rest)
      sums[at] = fromUnits(toUnits(high[at] as number) + toUnits(low[at] as number) + more);
    return sums;
  };

  return {
    add(values, weight = 1) {
      for (let at = 0; at < length; at++) {
        const sum = high[at] as number;
        const addend = weight * (values[at] as number);
        const next = sum + addend;
        high[at] = next;
        // Nothing was rounded off. Which of the two tells depends on which number is larger; finding the error takes longer.
        if (next - sum === addend && next - addend === sum) continue;
        const error = twoSumError(sum, addend, next);
        // Not in a function of its own: a number that is handed over becomes an object.
        const small = low[at] as number;
        const rounded = small + error;
        const left = twoSumError(small, error, rounded);
        low[at] = rounded;
        if (left !== 0) keepRest(at, left);
      }
    },
    addRun(at, values, count) {
      let [sum, small] = [high[at] as number, low[at] as number];
      for (let each = 0; each < count; each++) {
        const addend = values[each] as number;
        const next = sum + addend;
        const error = twoSumError(sum, addend, next);
        sum = next;
        if (error === 0) continue;
        const rounded = small + error;
        const left = twoSumError(small, error, rounded);
        small = rounded;
        if (left !== 0) keepRest(at, left);
      }
      high[at] = sum;
      low[at] = small;
    },
    parts() {
      const first = rounded();
      const second = new Float64Array(length);
      for (let at = 0; at < length; at++) {
        if (!rest.has(at))
          second[at] = twoSumError(high[at] as number, low[at] as number, first[at] as number);
      }
      const parts = [first, second];
      for (const [at, more] of rest) {
        let left = toUnits(high[at] as number) + toUnits(low[at] as number) + more;
        for (let part = 0; left !== 0n; part++) {
          const value = fromUnits(left);
          parts[part] ??= new Float64Array(length);
          (parts[part] as Float64Array)[at] = value;
          left -= toUnits(value);
        }
      }
      while (parts.length > 1 && parts.at(-1)?.every((value) => value === 0)) parts.pop();
      return parts;
    },
    rounded,
  };
}

/** a + b − sum, exactly, where `sum` is a + b as float64 rounds it. */
function twoSumError(a: number, b: number, sum: number): number {
  const rounded = sum - a;
  return a - (sum - rounded) + (b - rounded);
}

/** Bits of a fraction below its leading one. */
const FRACTION_BITS = 52n;
/** From here on a whole number is shortened before it becomes a float64, which ends below 2^1024. */
const LONG = 1n << 1000n;
/** Bits at most to which it is shortened: more than a fraction and what its rounding looks at. */
const SHORT_BITS = 64;

const view = new DataView(new ArrayBuffer(8));

/** `value` in units of 2^-1074. */
export function toUnits(value: number): bigint {
  view.setFloat64(0, value);
  const bits = view.getBigUint64(0);
  const exponent = (bits >> FRACTION_BITS) & 0x7ffn;
  const fraction = bits & ((1n << FRACTION_BITS) - 1n);
  const magnitude = exponent === 0n ? fraction : (fraction | (1n << FRACTION_BITS)) << (exponent - 1n);
  return value < 0 ? -magnitude : magnitude;
}

/** The float64 nearest to `units` · 2^-1074, of two the even one. */
export function fromUnits(units: bigint): number {
  if (units < 0n) return -fromUnits(-units);
  if (units < LONG) return Number(units) * Number.MIN_VALUE;
  const shift = units.toString(16).length * 4 - SHORT_BITS;
  const short = units >> BigInt(shift);
  // A last bit for all that was cut off: it decides when the rest lies halfway.
  const isExact = short << BigInt(shift) === units;
  return Number(isExact ? short : short | 1n) * 2 ** (shift - 1074);
}
