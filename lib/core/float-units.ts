/** Float64 numbers as whole numbers of 2^-1074, of which every finite one is a multiple, and back. */

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
