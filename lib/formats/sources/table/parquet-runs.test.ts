/** Tests of runs in pages: numbers of every width come back, however they are packed; too few bytes end it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { readLevels, readRuns } from './parquet-runs.js';

interface Run {
  readonly isPacked: boolean;
  readonly seeds: readonly number[];
}

const anyRuns = fc.array(
  fc.record({
    isPacked: fc.boolean(),
    seeds: fc.array(fc.nat(2 ** 31 - 1), { minLength: 1, maxLength: 30 }),
  }),
  { minLength: 1, maxLength: 5 },
);

/** The numbers of some runs, and their bytes as the specification has them, bit by bit. */
function written(runs: readonly Run[], width: number) {
  const numbers: number[] = [];
  const bytes: number[] = [];
  const last = runs.at(-1);
  for (const run of runs) {
    const { isPacked, seeds } = run;
    const values = seeds.map((seed) => Number(BigInt.asUintN(width, BigInt(seed) * 2_654_435_761n)));
    // Runs are of eights of packed numbers, which only the last need not fill.
    const count = isPacked && run !== last ? Math.ceil(values.length / 8) * 8 : values.length;
    const all = Array.from({ length: count }, (_, at) =>
      isPacked ? (values[at] ?? 0) : (values[0] as number),
    );
    numbers.push(...all);
    const header = isPacked ? Math.ceil(count / 8) * 2 + 1 : count * 2;
    bytes.push((header & 127) | 128, header >> 7);
    const bits = (isPacked ? all : all.slice(0, 1)).map((value) =>
      [...value.toString(2).padStart(width, '0')].reverse().join('').slice(0, width),
    );
    for (const eight of bits.join('').match(/.{1,8}/g) ?? [])
      bytes.push(Number.parseInt([...eight].reverse().join(''), 2));
  }
  return { numbers, bytes: Uint8Array.from(bytes) };
}

test('numbers of every width are read back', () => {
  fc.assert(
    fc.property(anyRuns, fc.integer({ min: 1, max: 32 }), fc.nat(3), (runs, width, before) => {
      const { numbers, bytes } = written(runs, width);
      const page = new Uint8Array(before + bytes.length);
      page.set(bytes, before);
      const into = new Int32Array(numbers.length);
      readRuns(page.subarray(before), width, into);
      assert.deepEqual(
        [...into],
        numbers.map((number) => number | 0),
      );
    }),
    { numRuns: 500 },
  );
});

test('places in a dictionary of one value have no bits, and take no bytes', () => {
  const places = new Int32Array(3);
  readRuns(new Uint8Array(0), 0, places);
  assert.deepEqual([...places], [0, 0, 0]);
});

test('bytes that end before the numbers do are refused', () => {
  fc.assert(
    fc.property(anyRuns, fc.integer({ min: 1, max: 32 }), (runs, width) => {
      const { numbers, bytes } = written(runs, width);
      assert.throws(() => readRuns(bytes.subarray(0, -1), width, new Int32Array(numbers.length)), RangeError);
      assert.throws(() => readRuns(bytes, width, new Int32Array(numbers.length + 8)), RangeError);
    }),
  );
  assert.throws(() => readRuns(new Uint8Array(9), 33, new Int32Array(1)), /numbers of 33 bits in a page/);
});

test('levels of a page without gaps are one run, and no list', () => {
  assert.equal(readLevels(Uint8Array.of(5 << 1, 1), 5), undefined);
  assert.deepEqual(readLevels(Uint8Array.of(4 << 1, 1, 1 << 1, 0), 5), Int32Array.of(1, 1, 1, 1, 0));
  assert.deepEqual(readLevels(Uint8Array.of(5 << 1, 0), 5), new Int32Array(5));
  assert.equal(readLevels(new Uint8Array(0), 0), undefined);
});
