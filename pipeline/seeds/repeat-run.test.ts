/** Tests of the mean and spread of figures: against plain loops, and by their laws. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { figuresOf } from './repeat-run.js';

test('every number of nested results has its mean and deviation, in the order in which it occurs; lists and words have none', () => {
  const results = [
    { accuracy: 0.5, best: { round: 3, sha256: 'a' }, targetReached: true, loss: 1, clients: [1, 2] },
    { accuracy: 0.75, best: { round: 5, sha256: 'b' }, targetReached: false, loss: null },
    { accuracy: 1, best: { round: 4, sha256: 'c' }, targetReached: true, loss: 3, roundsToTarget: 7 },
  ];
  const figures = figuresOf(results);
  assert.deepEqual(Object.keys(figures), [
    ...['accuracy', 'best.round', 'targetReached', 'loss', 'roundsToTarget'],
  ]);
  assert.deepEqual(figures.accuracy, { mean: 0.75, sd: 0.25, least: 0.5, most: 1, runs: 3 });
  assert.deepEqual(figures['best.round'], { mean: 4, sd: 1, least: 3, most: 5, runs: 3 });
  assert.equal(figures.targetReached?.mean, 2 / 3);
  assert.deepEqual(figures.loss, { mean: 2, sd: Math.SQRT2, least: 1, most: 3, runs: 2 });
  // One run has no spread.
  assert.deepEqual(figures.roundsToTarget, { mean: 7, sd: null, least: 7, most: 7, runs: 1 });
});

test('mean and deviation are those of the definition, whatever the order of the runs; a shift moves the mean alone', () => {
  const values = fc.array(fc.double({ min: -1e3, max: 1e3, noNaN: true }), { minLength: 2, maxLength: 9 });
  fc.assert(
    fc.property(values, fc.integer({ min: -100, max: 100 }), (numbers, shift) => {
      const found = figuresOf(numbers.map((x) => ({ x }))).x;
      assert.ok(found);
      const mean = numbers.reduce((sum, each) => sum + each, 0) / numbers.length;
      const squares = numbers.reduce((sum, each) => sum + (each - mean) ** 2, 0);
      assert.ok(Math.abs(found.mean - mean) < 1e-9);
      assert.ok(Math.abs((found.sd as number) - Math.sqrt(squares / (numbers.length - 1))) < 1e-7);
      assert.ok(found.least === Math.min(...numbers));
      assert.ok(found.most === Math.max(...numbers));
      const turned = figuresOf(numbers.toReversed().map((x) => ({ x: x + shift }))).x;
      assert.ok(Math.abs((turned?.mean as number) - found.mean - shift) < 1e-9);
      assert.ok(Math.abs((turned?.sd as number) - (found.sd as number)) < 1e-6);
    }),
  );
});
