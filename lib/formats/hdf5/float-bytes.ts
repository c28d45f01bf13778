/** Raw little-endian numbers, floating-point of any width and whole ones, as float32. */
import { DataError } from '../../core/errors.js';

/** Type of the numbers in a file. */
export type FloatBytes = 'float16' | 'float32' | 'float64' | 'int64';

/**
 * Converts to float32, rounding to nearest; infinities and NaN stay what they are.
 *
 * @throws {DataError} when a finite float64 is too large for float32.
 */
export function decodeFloats(
  bytes: Uint8Array<ArrayBuffer>,
  format: FloatBytes,
  source: { readonly file: string; readonly array: string },
): Float32Array {
  if (format === 'float32') return new Float32Array(bytes.buffer);
  // Counts of examples.
  if (format === 'int64') return Float32Array.from(new BigInt64Array(bytes.buffer), Number);
  if (format === 'float16') return Float32Array.from(new Uint16Array(bytes.buffer), halfToNumber);
  const doubles = new Float64Array(bytes.buffer);
  const values = Float32Array.from(doubles);
  const overflow = doubles.findIndex(
    (double, index) => Number.isFinite(double) && !Number.isFinite(values[index]),
  );
  if (overflow < 0) return values;
  throw new DataError({
    file: source.file,
    expected: `numbers within float32 at ${source.array}`,
    found: `${doubles[overflow]} at position ${overflow}`,
  });
}

/** The value of an IEEE 754 binary16 number. */
function halfToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0x1f) return fraction === 0 ? sign * Infinity : Number.NaN;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}
