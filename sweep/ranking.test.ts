/** The ranking: seeds together, the best first, what is not finished last; a table for any terminal. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatRanking, meanText, ranked } from './ranking.js';
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
