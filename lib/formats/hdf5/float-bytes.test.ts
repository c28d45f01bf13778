import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import { DataError } from '../../core/errors.js';
import { decodeFloats } from './float-bytes.js';

const source = { file: 'model.h5', array: '/w' };
const bytesOf = (values: Float32Array | Float64Array) => new Uint8Array(values.slice().buffer as ArrayBuffer);

it('keeps float32 and rounds float64 to it', () => {
  fc.assert(
    fc.property(fc.float32Array(), (values) => {
      assert.deepEqual(decodeFloats(bytesOf(values), 'float32', source), values);
      assert.deepEqual(decodeFloats(bytesOf(Float64Array.from(values)), 'float64', source), values);
    }),
  );
  assert.equal(decodeFloats(bytesOf(Float64Array.of(0.1)), 'float64', source)[0], Math.fround(0.1));
});

it('refuses a float64 beyond float32, naming file, array, number and position', () => {
  assert.throws(
    () => decodeFloats(bytesOf(Float64Array.of(1, -1e39)), 'float64', source),
    (error) => {
      assert.ok(error instanceof DataError);
      assert.equal(
        error.message,
        'model.h5: expected numbers within float32 at /w, found -1e+39 at position 1.',
      );
      return true;
    },
  );
});

it('leaves infinities and NaN to the guards of the average', () => {
  const values = Float64Array.of(Infinity, -Infinity, Number.NaN);
  assert.deepEqual([...decodeFloats(bytesOf(values), 'float64', source)], [...values]);
});

it('knows float16: normal, subnormal, zero, infinite, not a number', () => {
  const known: readonly (readonly [number, number])[] = [
    [0x3c00, 1],
    [0xc000, -2],
    [0x3555, 0.333251953125],
    [0x7bff, 65504],
    [0x0001, 2 ** -24],
    [0x03ff, 1023 * 2 ** -24],
    [0x8000, -0],
    [0x7c00, Infinity],
    [0xfc00, -Infinity],
    [0x7e00, Number.NaN],
  ];
  const bytes = new Uint8Array(Uint16Array.from(known, ([bits]) => bits).buffer);
  assert.deepEqual(
    [...decodeFloats(bytes, 'float16', source)],
    known.map(([, value]) => value),
  );
});
