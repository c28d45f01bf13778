import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { median, quantile } from './order-statistics.js';

const values = fc
  .array(fc.oneof(fc.float({ noNaN: true }), fc.constantFrom(0, 1, 0.5)), { maxLength: 300 })
  .map((list) => Float32Array.from(list));

test('a quantile is what stands at its place after sorting, and the values stay as they were', () => {
  fc.assert(
    fc.property(values, fc.double({ min: 0, max: 1, noNaN: true }), (list, share) => {
      const before = list.slice();
      const sorted = list.slice().sort();
      // Equal as numbers: a sort puts -0 before 0.
      assert.ok(quantile(list, share) === (sorted[Math.round(share * (sorted.length - 1))] ?? 0));
      assert.deepEqual(list, before);
    }),
  );
});

test('the median of many values is that of evenly chosen ones', () => {
  const many = Float32Array.from({ length: 3000 }, (_, at) => (at % 3 === 0 ? at / 3000 : 99));
  assert.equal(median(many), Math.fround(1500 / 3000));
  assert.equal(median(Float32Array.of(-3, 1, 2), { absolute: true }), 2);
  assert.equal(median(new Float32Array(0)), 0);
});
