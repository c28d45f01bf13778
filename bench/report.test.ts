import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatMarkdown, formatRatio, replaceSection } from './report.js';

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
