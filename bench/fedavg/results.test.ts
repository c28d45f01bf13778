import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Attempt, CurvePoint } from './attempt.js';
import { CELLS } from './cells.js';
import { bestPoint, isDone, meanCurve, monotone, roundsToTarget, spreadOf } from './results.js';

/** Values of the rounds 1, 2, … */
const curve = (...values: readonly number[]): readonly CurvePoint[] =>
  values.map((value, index) => ({ round: index + 1, value }));
const ACCURACY = { metric: 'accuracy' } as const;
const ERROR = { metric: 'rmse' } as const;

const anyCurve = fc
  .array(fc.integer({ min: 0, max: 1000 }), { minLength: 1, maxLength: 40 })
  .map((thousandths) => curve(...thousandths.map((value) => value / 1000)));

test('a curve is made monotone by the best accuracy so far', () => {
  assert.deepEqual(monotone(curve(0.5, 0.9, 0.7, 0.95)), curve(0.5, 0.9, 0.9, 0.95));
  assert.deepEqual(monotone(curve(3, 1, 2, 0.5), ERROR), curve(3, 1, 1, 0.5));
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
    { round: 2, value: 0.5 },
    { round: 6, value: 1 },
  ];
  assert.equal(roundsToTarget(points, 0.75), 4);
});

test('a target that was not reached has no rounds', () => {
  assert.equal(roundsToTarget(curve(0.5, 0.989_999), 0.99), undefined);
  assert.equal(roundsToTarget([], 0.99), undefined);
  assert.equal(roundsToTarget(curve(1), undefined), undefined);
});

test('any curve: the crossing lies in the step that first reaches the target', () => {
  fc.assert(
    fc.property(anyCurve, fc.integer({ min: 1, max: 1000 }), (points, thousandths) => {
      const target = thousandths / 1000;
      const first = points.find(({ value }) => value >= target)?.round;
      const rounds = roundsToTarget(points, target);
      if (first === undefined) return rounds === undefined;
      return rounds !== undefined && rounds <= first && (first === 1 ? rounds === 1 : rounds > first - 1);
    }),
  );
});

test('the best point is the first of the best: the highest accuracy, the lowest error', () => {
  assert.deepEqual(bestPoint(curve(0.5, 0.9, 0.9), ACCURACY), { round: 2, value: 0.9 });
  assert.deepEqual(bestPoint(curve(0.5, 0.2, 0.9, 0.2), ERROR), { round: 2, value: 0.2 });
  assert.equal(bestPoint([], ACCURACY), undefined);
});

test('an attempt is done when its target is reached or all rounds are run', () => {
  const cell = CELLS['cnn-iid-e5-b10'];
  const open = CELLS['fedprox-mnist-fedavg'];
  assert.ok(cell && open);
  assert.ok(isDone(cell, { curve: curve(0.5, 0.995, 0.9) }));
  assert.ok(!isDone(cell, { curve: curve(0.5, 0.6) }));
  assert.ok(isDone(cell, { curve: [{ round: cell.rounds, value: 0.5 }] }));
  assert.ok(!isDone(open, { curve: curve(1, 1) }));
  assert.ok(isDone(open, { curve: [{ round: open.rounds, value: 0.5 }] }));
  assert.ok(!isDone(open, { curve: [] }));
});

test('seeds are averaged round by round, in the rounds that all of them have', () => {
  const run = (seed: number, ...values: readonly number[]): Attempt => ({
    ...{ learningRate: 0.1, seed, seconds: 1, builds: [] },
    curve: curve(...values),
  });
  const runs = [run(0, 0.25, 0.75, 1), run(1, 0.75, 0.25)].map((attempt) => ({
    ...{ ...attempt, rounds: undefined },
    best: { round: 1, value: 1 },
  }));
  assert.deepEqual(meanCurve({ learningRate: 0.1, runs }), curve(0.5, 0.5));
  assert.deepEqual(spreadOf([1, 2, 3]), { mean: 2, sd: 1 });
  assert.deepEqual(spreadOf([4]), { mean: 4, sd: undefined });
});
