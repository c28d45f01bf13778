import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { columnsAt, joinRows, splitRows } from './rows.js';

describe('rows of several tensors', () => {
  it('come apart as they were put together', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 5 }),
        fc.array(fc.integer({ min: 1, max: 6 }), { minLength: 1, maxLength: 4 }),
        (count, sizes) => {
          const tensors = sizes.map((size, which) =>
            Float32Array.from({ length: count * size }, (_, at) => which * 100 + at),
          );
          const rows = joinRows(tensors, count);
          assert.equal(rows.length, count * sizes.reduce((sum, size) => sum + size, 0));
          assert.deepEqual(splitRows(rows, sizes), tensors);
        },
      ),
    );
  });

  it('have for each example the numbers of all tensors one after the other', () => {
    const rows = joinRows([Float32Array.of(1, 2), Float32Array.of(3, 4, 5, 6)], 2);
    assert.deepEqual([...rows], [1, 3, 4, 2, 5, 6]);
    assert.deepEqual([...columnsAt(rows, { from: 1, size: 2, count: 2 })], [3, 4, 5, 6]);
  });

  it('of one tensor are that tensor, and no copy', () => {
    const values = Float32Array.of(1, 2, 3, 4);
    assert.equal(joinRows([values], 2), values);
    assert.equal(splitRows(values, [2])[0], values);
  });
});
