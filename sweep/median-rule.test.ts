/** The median rule: when a trial is hopeless, and laws that it keeps. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Course, hopelessAfter } from './median-rule.js';

const course = (row: string, ...scores: readonly number[]): Course => ({ row, scores });
const others = [
  course('a', 0.5, 0.6, 0.7),
  course('b', 0.4, 0.8, 0.9),
  course('c', 0.1, 0.2),
  course('d', 0.3),
];

test('a trial below the median of the others at the same round is hopeless, once the warm-up is over', () => {
  const judged = (warmUp: number, ...scores: readonly number[]) =>
    hopelessAfter(course('x', ...scores), others, { warmUp });
  assert.deepEqual(judged(1, 0.3), { median: 0.35, rivals: 4 });
  assert.deepEqual(judged(2, 0.9, 0.59), { median: 0.6, rivals: 3 });
  assert.equal(judged(2, 0.3), undefined, 'within the warm-up');
  assert.equal(judged(1, 0.35), undefined, 'as good as the median');
  assert.equal(judged(1, 0.9, 0.6), undefined);
  assert.equal(judged(1, 0, 0, 0), undefined, 'two have come so far, which is too few');
  assert.equal(judged(1), undefined, 'nothing done');
});

test('trials that differ in their seed alone are no rivals', () => {
  const same = others.map(({ scores }) => ({ row: 'x', scores }));
  assert.equal(hopelessAfter(course('x', 0), same, { warmUp: 1 }), undefined);
});

test('a result that is no number is worse than any, and a median of such results stops nobody', () => {
  const none = Number.NEGATIVE_INFINITY;
  assert.deepEqual(hopelessAfter(course('x', none), others, { warmUp: 1 }), { median: 0.35, rivals: 4 });
  const lost = ['a', 'b', 'c'].map((row) => course(row, none));
  assert.equal(hopelessAfter(course('x', none), lost, { warmUp: 1 }), undefined);
});

test('laws: the best is never stopped, and whoever is worse than a hopeless one is hopeless too', () => {
  const score = fc.double({ min: 0, max: 1, noNaN: true });
  fc.assert(
    fc.property(fc.array(score, { minLength: 3, maxLength: 9 }), score, score, (rivals, mine, less) => {
      const all = rivals.map((each, at) => course(`${at}`, each));
      const judged = (value: number) => hopelessAfter(course('x', value), all, { warmUp: 1 });
      assert.equal(judged(Math.max(...rivals)), undefined);
      if (judged(mine) !== undefined) assert.notEqual(judged(Math.min(mine, less)), undefined);
    }),
  );
});
