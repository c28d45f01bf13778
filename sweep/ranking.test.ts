/** The ranking: seeds together, the best first, what is not finished last; a table for any terminal. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Course, formatRanking, hopelessAfter, meanText, ranked } from './ranking.js';
import { sampleSweep } from './testing/sample-sweep.js';

test('trials that differ in their seed are one row with mean and standard deviation', () => {
  const rows = ranked(sampleSweep());
  assert.deepEqual(
    rows.map(({ values, trials, state, metric }) => [Object.values(values).join(' '), trials, state, metric]),
    [
      ['0.1 64,32', [3, 4], 'finished', 'accuracy'],
      ['0.1 64', [1, 2], 'finished', 'accuracy'],
      ['0.01 64', [5, 6], 'stopped', 'accuracy'],
      ['0.01 64,32', [7, 8], 'failed', 'accuracy'],
    ],
  );
  const [best, second] = rows;
  assert.ok(best?.mean !== undefined && Math.abs(best.mean - 0.95) < 1e-12);
  // Of 0.94 and 0.96: the root of their squared distances from the mean, over one degree of freedom.
  assert.ok(best.sd !== undefined && Math.abs(best.sd - Math.sqrt(0.0002)) < 1e-12);
  assert.equal(meanText(best), '0.9500 ± 0.0141');
  assert.equal(best.seconds, 4);
  assert.equal(second?.rounds, 3);
});

test('of a metric whose lower values are better the lowest comes first, and no number at all comes last', () => {
  const trial = (number: number, value: number | null) => ({
    ...{
      number,
      id: `${number}`,
      values: { 'training.epochs': number },
      seed: 0,
      state: 'finished' as const,
    },
    ...{ metric: 'rmse', course: [value] },
  });
  const rows = ranked({ trials: [trial(1, 3), trial(2, null), trial(3, 2), trial(4, 4)] });
  assert.deepEqual(
    rows.map(({ trials: [number], mean, sd }) => [number, mean, sd]),
    [
      [3, 2, undefined],
      [1, 3, undefined],
      [4, 4, undefined],
      [2, undefined, undefined],
    ],
  );
});

test('the table fits 80 columns: columns that tell least go first, then names of axes become letters', () => {
  const { axes, trials } = sampleSweep();
  const table = formatRanking(ranked({ trials }), { axes, width: 80 });
  assert.ok(table.split('\n').every((line) => line.length <= 80));
  assert.match(table, /^rank +learning-rate +hidden +accuracy +seeds +rounds +state\n/);
  assert.match(table, / 1 +0\.1 +64,32 +0\.9500 ± 0\.0141 +2 +3 +finished\n/);
  assert.match(table, /\n +0\.01 +64 .*stopped\n/);
  const wide = axes.map((axis, at) => ({ ...axis, name: `a-setting-with-a-rather-long-name-${at}` }));
  const lettered = formatRanking(ranked({ trials }), { axes: wide, width: 80 });
  assert.ok(lettered.split('\n').every((line) => line.length <= 80));
  assert.match(
    lettered,
    /^a {2}a-setting-with-a-rather-long-name-0\nb {2}.*\n(c .*\n)?\nrank +a +b +accuracy/,
  );
});

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
