/** Tests of npy: what numpy wrote, what we write, and every way in which a file can be bad. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { numpyExpected, numpyFixture, numpyValues } from '../../../test/numpy.js';
import { DataError } from '../../core/errors.js';
import { decodeNpy, encodeNpy } from './npy.js';

/** An npy file of version 1 with a header of our choice. */
function withHeader(header: string, data: Uint8Array = new Uint8Array(0)): Uint8Array {
  const start = Buffer.from([0x93, ...Buffer.from('NUMPY'), 1, 0, header.length & 255, header.length >> 8]);
  return new Uint8Array(Buffer.concat([start, Buffer.from(header, 'latin1'), data]));
}

const refusal = (bytes: Uint8Array) => {
  try {
    decodeNpy(bytes, { file: 'a.npy' });
  } catch (error) {
    assert.ok(error instanceof DataError, String(error));
    return error.message;
  }
  return assert.fail('expected the file to be refused');
};

for (const [name, wanted] of Object.entries(numpyExpected).filter(([name]) => name.endsWith('.npy'))) {
  test(`numpy's ${name} is ${'refused' in wanted ? 'refused' : 'read'}`, () => {
    const bytes = numpyFixture(name);
    if ('refused' in wanted) {
      assert.ok(refusal(bytes).includes(`${wanted.refused}`), refusal(bytes));
      return;
    }
    const array = decodeNpy(bytes, { file: name });
    assert.deepEqual({ dtype: array.dtype, shape: array.shape, values: numpyValues(array) }, wanted);
  });
}

const writable = fc.oneof(
  fc.uint8Array(),
  fc.int32Array(),
  fc.bigInt64Array(),
  fc.float32Array(),
  fc.float64Array(),
);

test('what is written is read back, wherever in memory it lies', () => {
  fc.assert(
    fc.property(writable, fc.nat(9), (values, offset) => {
      const shape = [values.length, 1];
      const written = encodeNpy(values, shape);
      const moved = new Uint8Array(written.length + offset).fill(255);
      moved.set(written, offset);
      for (const bytes of [written, moved.subarray(offset)]) {
        const array = decodeNpy(bytes, { file: 'a.npy' });
        assert.deepEqual(array.shape, shape);
        assert.equal(array.values.constructor, values.constructor);
        assert.deepEqual(array.values, values);
      }
    }),
  );
});

test('a header of any length is read, also where it leaves the data unaligned', () => {
  const data = new Uint8Array(new Float64Array([1.5, -2.5]).buffer);
  for (let padding = 0; padding < 16; padding++) {
    const header = `{'descr': '<f8', 'fortran_order': False, 'shape': (2,), }${' '.repeat(padding)}\n`;
    const { values } = decodeNpy(withHeader(header, data), { file: 'a.npy' });
    assert.deepEqual([...values], [1.5, -2.5]);
  }
});

test('the keys of a header come in any order, and Python 2 wrote longs', () => {
  const header = "{'shape': (1L, 2L), 'fortran_order': False, 'descr': '|u1'}\n";
  assert.deepEqual(decodeNpy(withHeader(header, Uint8Array.of(1, 2)), { file: 'a.npy' }).shape, [1, 2]);
});

test('a type of one byte has the order of bytes that numpy writes, or is refused', () => {
  const header = (descr: string) => `{'descr': '${descr}', 'fortran_order': False, 'shape': (1,), }\n`;
  const data = Uint8Array.of(1);
  for (const code of ['i1', 'u1', 'b1']) {
    for (const order of ['|', '<', '>'])
      assert.deepEqual([...decodeNpy(withHeader(header(order + code), data), { file: 'a.npy' }).values], [1]);
    for (const order of [' ', 'x'])
      assert.match(refusal(withHeader(header(order + code), data)), /to be of a number type/);
  }
});

test('a damaged file is refused in one sentence or read, and never fails in another way', () => {
  const files = Object.keys(numpyExpected)
    .filter((name) => name.endsWith('.npy'))
    .map(numpyFixture);
  const damage = fc.array(fc.tuple(fc.nat(200), fc.nat(255)), { maxLength: 4 });
  fc.assert(
    fc.property(fc.constantFrom(...files), damage, fc.nat(300), (file, changes, length) => {
      const bytes = new Uint8Array(file).subarray(0, length);
      for (const [at, value] of changes) if (at < bytes.length) bytes[at] = value;
      try {
        const { values, shape } = decodeNpy(bytes, { file: 'a.npy' });
        assert.equal(
          values.length,
          shape.reduce((product, extent) => product * extent, 1),
        );
      } catch (error) {
        assert.ok(error instanceof DataError, String(error));
      }
    }),
    { numRuns: 2000 },
  );
});

test('truncated data, trailing bytes and wrong starts are named', () => {
  const whole = encodeNpy(new Int32Array(6), [2, 3]);
  assert.match(
    refusal(whole.subarray(0, -1)),
    /to hold 24 bytes of data for int32\[2,3\], found 23 \(truncated\)\.$/,
  );
  assert.match(refusal(Buffer.concat([whole, Buffer.of(0)])), /found 25 \(trailing bytes\)\.$/);
  assert.match(refusal(new Uint8Array(0)), /to start with the npy magic .*, found no bytes at all\.$/);
  assert.match(refusal(Buffer.from('PK\x03\x04 and more')), /found "PK\\u0003\\u0004 a"\.$/);
  assert.match(refusal(whole.subarray(0, 20)), /header of \d+ bytes, found only 20 \(truncated\)\.$/);
  const version = new Uint8Array(whole);
  version[6] = 9;
  assert.match(refusal(version), /npy version 1, 2 or 3, found version 9\.$/);
});

test('a header is never trusted with memory or time', () => {
  const entry = (shape: string) => `{'descr': '<f8', 'fortran_order': False, 'shape': (${shape}), }\n`;
  assert.match(
    refusal(withHeader(entry('60000, 28000, 28000'))),
    /376320000000000 bytes .* found 0 \(truncated\)/,
  );
  assert.match(refusal(withHeader(entry(`${'9'.repeat(400)},`))), /truncated/);
  assert.match(refusal(withHeader(entry('1,'.repeat(65)))), /at most 64 dimensions, found 65/);
  assert.match(refusal(withHeader(entry('-1,'))), /have a header/);
  assert.match(refusal(withHeader(entry('2,,2'))), /have a header/);
  const huge = new Uint8Array(12);
  huge.set([0x93, ...Buffer.from('NUMPY'), 2, 0, 255, 255, 255, 255]);
  assert.match(refusal(huge), /header of at most 65536 bytes, found one of 4294967295/);
  const startedAt = performance.now();
  for (const filling of ['1', '1 ', '1,', "'", ']', "'shape': (", ' ']) {
    refusal(withHeader(`{'descr': '<f8', 'fortran_order': False, 'shape': (${filling.repeat(5000)}`));
    refusal(withHeader(`{'descr': [${filling.repeat(5000)}`));
  }
  // A pattern that tries all ways to match would take hours.
  assert.ok(performance.now() - startedAt < 60_000);
});

test('a key that is there twice is refused, since readers differ in which they believe', () => {
  const header = "{'descr': '<f8', 'descr': '|u1', 'fortran_order': False, 'shape': (1,), }\n";
  assert.match(refusal(withHeader(header, new Uint8Array(1))), /have a header/);
});

test('a shape that does not fit its values is a bug of the caller', () => {
  assert.throws(() => encodeNpy(new Uint8Array(5), [2, 3]), RangeError);
});
