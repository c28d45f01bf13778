import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { median, medianOf, percentileOf, ratioByRound } from './statistics.js';

test('the median is the middle, or the mean of the two in the middle', () => {
  assert.equal(median([3, 1, 2]), 2);
  assert.equal(median([4, 1, 3, 10]), 3.5);
  assert.equal(median([10, 9, 100]), 10, 'numbers are sorted as numbers');
  assert.ok(Number.isNaN(median([])));
  assert.equal(
    medianOf([{ s: 5 }, { s: 1 }, { s: 2 }], ({ s }) => s),
    2,
  );
});

test('a percentile is one of the values, and no more of them exceed it than it says', () => {
  const values = Array.from({ length: 200 }, (_, at) => 200 - at);
  assert.equal(percentileOf(values, 0.99), 198);
  assert.equal(percentileOf(values, 0), 1);
  assert.equal(percentileOf([7], 0.99), 7);
  assert.ok(Number.isNaN(percentileOf([], 0.99)));
});

test('at most half of the values lie on either side of the median', () => {
  const values = fc.array(fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e6, max: 1e6 }), {
    minLength: 1,
  });
  fc.assert(
    fc.property(values, (numbers) => {
      const middle = median(numbers);
      assert.ok(numbers.filter((each) => each < middle).length <= numbers.length / 2);
      assert.ok(numbers.filter((each) => each > middle).length <= numbers.length / 2);
    }),
  );
});

test('a machine that slows down in a round slows both sides, and moves no ratio', () => {
  const ours = [120, 120, 120];
  const theirs = [100, 100, 100];
  const slowdowns = [1, 5, 3];
  const slowed = (speeds: readonly number[]) => speeds.map((speed, round) => speed / (slowdowns[round] ?? 1));
  assert.ok(Math.abs(ratioByRound(slowed(ours), slowed(theirs)) - 1.2) < 1e-12);
  assert.throws(() => ratioByRound([1, 2], [1]), /2 rounds beside 1/);
});
