import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  formatMarkdown,
  formatRatio,
  median,
  medianOf,
  percentileOf,
  ratioByRound,
  replaceSection,
} from './report.js';

test('a table becomes Markdown, with its notes below', () => {
  const table = { header: ['engine', 'step'], rows: [['a|b', '1 ms']], notes: ['Not measured: x.'] };
  assert.equal(
    formatMarkdown(table),
    '| engine | step |\n| --- | --- |\n| a\\|b | 1 ms |\n\nNot measured: x.',
  );
});

test('a ratio has two digits, and nothing to compare is a dash', () => {
  assert.equal(formatRatio(1.3), '1.30×');
  assert.equal(formatRatio(Number.NaN), '–');
  assert.equal(formatRatio(Number.POSITIVE_INFINITY), '–');
});

test('a section is replaced between its markers, again and again, and the prose around stays', () => {
  const report =
    'Before\n<!-- bench:step -->\nold\n<!-- /bench:step -->\nAfter\n<!-- bench:job -->\n<!-- /bench:job -->\n';
  const once = replaceSection(report, 'step', '| new |');
  assert.equal(
    once,
    'Before\n<!-- bench:step -->\n| new |\n<!-- /bench:step -->\nAfter\n<!-- bench:job -->\n<!-- /bench:job -->\n',
  );
  assert.equal(replaceSection(once, 'step', '| new |'), once);
  assert.match(replaceSection(once, 'job', '$& stays as it is'), /bench:job -->\n\$& stays as it is\n/);
  assert.throws(() => replaceSection(report, 'stages', ''), /no markers <!-- bench:stages -->/);
});

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
