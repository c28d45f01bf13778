import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { bestPoint, type CurvePoint, monotone, roundsToTarget } from './results.js';

/** Accuracies of the rounds 1, 2, … */
const curve = (...accuracies: readonly number[]): readonly CurvePoint[] =>
  accuracies.map((accuracy, index) => ({ round: index + 1, accuracy }));

const anyCurve = fc
  .array(fc.integer({ min: 0, max: 1000 }), { minLength: 1, maxLength: 40 })
  .map((thousandths) => curve(...thousandths.map((value) => value / 1000)));

test('a curve is made monotone by the best accuracy so far', () => {
  assert.deepEqual(monotone(curve(0.5, 0.9, 0.7, 0.95)), curve(0.5, 0.9, 0.9, 0.95));
});

test('rounds to a target lie between the points around it, as far as the target lies between their values', () => {
  assert.equal(roundsToTarget(curve(0.5, 0.75), 0.6875), 1.75);
  assert.equal(roundsToTarget(curve(0.5, 0.75, 0.8), 0.75), 2);
  assert.equal(roundsToTarget(curve(0.9, 0.95), 0.5), 1, 'nothing is known of before round 1');
});

test('a dip before the crossing does not count: the best so far is interpolated', () => {
  // The plain curve would cross on the way from 0.25 to 1, later.
  assert.equal(roundsToTarget(curve(0.5, 0.25, 1), 0.75), 2.5);
});

test('a round without a point is bridged', () => {
  const points = [
    { round: 2, accuracy: 0.5 },
    { round: 6, accuracy: 1 },
  ];
  assert.equal(roundsToTarget(points, 0.75), 4);
});

test('a target that was not reached has no rounds', () => {
  assert.equal(roundsToTarget(curve(0.5, 0.989_999), 0.99), undefined);
  assert.equal(roundsToTarget([], 0.99), undefined);
});

test('any curve: the crossing lies in the step that first reaches the target', () => {
  fc.assert(
    fc.property(anyCurve, fc.integer({ min: 1, max: 1000 }), (points, thousandths) => {
      const target = thousandths / 1000;
      const first = points.find(({ accuracy }) => accuracy >= target)?.round;
      const rounds = roundsToTarget(points, target);
      if (first === undefined) return rounds === undefined;
      return rounds !== undefined && rounds <= first && (first === 1 ? rounds === 1 : rounds > first - 1);
    }),
  );
});

test('the best point is the first of the best', () => {
  assert.deepEqual(bestPoint(curve(0.5, 0.9, 0.9)), { round: 2, accuracy: 0.9 });
  assert.equal(bestPoint([]), undefined);
});
