import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { createExactSums, fromUnits, toUnits } from './exact-sum.js';

const finite = fc.double({ noNaN: true, noDefaultInfinity: true });
const anyFloat = fc.float({ noNaN: true, noDefaultInfinity: true });
/** Numbers of one size, as weights are, and numbers of all sizes, for which two float64 are not enough. */
const terms = fc.oneof(
  fc.array(fc.double({ min: -1, max: 1, noNaN: true }), { maxLength: 40 }),
  fc.array(fc.constantFrom(1e30, -1e30, 1, -1, 2 ** -60, 3e-40, 2 ** -149, -(2 ** -149), 0, -0), {
    maxLength: 40,
  }),
  fc.array(anyFloat, { maxLength: 40 }),
);

const sumOf = (values: readonly number[]) => {
  const sums = createExactSums(1);
  for (const value of values) sums.add(Float64Array.of(value));
  return sums;
};
const exact = (values: readonly number[]) => values.reduce((sum, value) => sum + toUnits(value), 0n);

describe('units of 2^-1074', () => {
  it('hold every finite number', () =>
    fc.assert(fc.property(finite, (value) => assert.equal(fromUnits(toUnits(value)), value + 0))));

  it('are rounded to the nearest number, halves to even', () => {
    const one = toUnits(1);
    const last = toUnits(Number.EPSILON);
    assert.equal(fromUnits(one + last / 2n), 1);
    assert.equal(fromUnits(one + last / 2n + 1n), 1 + Number.EPSILON);
    assert.equal(fromUnits(one + last + last / 2n), 1 + 2 * Number.EPSILON);
    assert.equal(fromUnits(-one - last / 2n - 1n), -1 - Number.EPSILON);
    const huge = toUnits(2 ** 200);
    const step = toUnits(2 ** 148);
    assert.equal(fromUnits(huge + step / 2n), 2 ** 200);
    assert.equal(fromUnits(huge + step / 2n + 1n), 2 ** 200 + 2 ** 148);
  });
});

describe('exact sums', () => {
  it('are rounded once', () =>
    fc.assert(
      fc.property(terms, (values) => {
        assert.equal(sumOf(values).rounded()[0], fromUnits(exact(values)));
      }),
    ));

  it('are the same of numbers that are added in runs', () =>
    fc.assert(
      fc.property(fc.array(terms, { maxLength: 4 }), (runs) => {
        const sums = createExactSums(2);
        for (const run of runs) sums.addRun(1, Float64Array.of(...run, 7), run.length);
        const [none, some] = sums.rounded();
        assert.equal(none, 0);
        assert.equal(some, fromUnits(exact(runs.flat())));
        assert.deepEqual(
          sums.parts().map((part) => part[1]),
          sumOf(runs.flat())
            .parts()
            .map((part) => part[0]),
        );
      }),
    ));

  it('are told in parts that add up to them, the same for any order and grouping', () =>
    fc.assert(
      fc.property(
        terms.chain((values) =>
          fc.tuple(
            fc.constant(values),
            fc.shuffledSubarray(values, { minLength: values.length }),
            fc.nat({ max: values.length }),
          ),
        ),
        ([values, shuffled, cut]) => {
          const parts = sumOf(values).parts();
          assert.equal(exact(parts.map(([value]) => value as number)), exact(values));
          const grouped = createExactSums(1);
          for (const group of [shuffled.slice(0, cut), shuffled.slice(cut)]) {
            for (const part of sumOf(group).parts()) grouped.add(part);
          }
          assert.deepEqual(grouped.parts(), parts);
        },
      ),
    ));

  it('hold what two numbers do not', () => {
    const values = [1e30, 1, 2 ** -149];
    assert.deepEqual(
      sumOf(values)
        .parts()
        .map(([value]) => value),
      values,
    );
    assert.equal(sumOf([...values, -1e30, -1]).rounded()[0], 2 ** -149);
  });
});
