/** The page of a sweep: whole, self-contained, escaped, true to the record. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toText } from '../../lib/html/html.js';
import { PAGE_SCRIPT } from '../../report/page-script.js';
import { drawnSweep, sampleSweep } from '../testing/sample-sweep.js';
import { renderSweepPage } from './page.js';

test('the page loads nothing, runs nothing but its own script, escapes what the record says, and closes what it opens', () => {
  for (const record of [sampleSweep(), drawnSweep()]) {
    const page = renderSweepPage(record).replace(toText(PAGE_SCRIPT), '');
    const tags = [...page.matchAll(/<[a-z][^>]*>/g)].join('\n');
    assert.doesNotMatch(tags, /<(script|link|iframe|img|object)|\s(href|src|on[a-z]+)=/);
    assert.doesNotMatch(page, /@import|url\(/);
    assert.ok(!page.includes('undefined') && !page.includes('NaN') && !page.includes('Infinity'));
    const opened = [...page.matchAll(/<([a-z][a-z0-9]*)\b[^>]*?(\/?)>/g)].filter(
      ([, , empty]) => empty === '',
    );
    const closed = [...page.matchAll(/<\/([a-z][a-z0-9]*)>/g)];
    assert.equal(opened.filter(([, name]) => name !== 'meta').length, closed.length);
  }
  assert.match(
    renderSweepPage(sampleSweep()),
    /accuracy &lt;0\.3&gt;\.<small>trial 6: learning-rate 0\.01, hidden 64, seed 1</,
  );
});

test('a grid of two axes is a heat map: a cell for each configuration, the best framed', () => {
  const page = renderSweepPage(sampleSweep());
  const cells = [...page.matchAll(/<td class="right( best)?" style="--shade:([\d.]+)">(.*?)<\/td>/g)];
  assert.deepEqual(
    cells.map(([, best, shade, text]) => [
      best !== undefined,
      Number(shade),
      text?.replaceAll(/<[^>]*>/g, ' ').trim(),
    ]),
    [
      [false, 0.1, '90.00 %'.concat(' ± 0.00 %')],
      [true, 0.85, '95.00 % ± 1.41 %'],
      [false, 0, '40.00 % stopped'],
      [false, 0, '30.00 % failed'],
    ],
  );
  assert.doesNotMatch(page, /<svg class="chart ways"/);
  assert.match(page, /<dt>best accuracy<\/dt><dd>95\.00 %<small>learning-rate 0\.1, hidden 64,32</);
});

test('drawn configurations are lines across an upright for each axis and one for the result', () => {
  const page = renderSweepPage(drawnSweep());
  const chart = /<svg class="chart ways".*?<\/svg>/s.exec(page)?.[0] ?? '';
  assert.equal([...chart.matchAll(/<path class="way/g)].length, 40);
  assert.equal([...chart.matchAll(/<path class="way best"/g)].length, 1);
  assert.equal([...chart.matchAll(/<path class="way unfinished"/g)].length, 4);
  assert.deepEqual(
    [...chart.matchAll(/<text class="axis"[^>]*>([^<]*)</g)].map(([, name]) => name),
    ['learning-rate', 'momentum', 'optimizer', 'batch', 'accuracy'],
  );
  // The best is drawn last.
  assert.match([...chart.matchAll(/<path class="[^"]*"/g)].at(-1)?.[0] ?? '', /best/);
});

test('a sweep that has only begun, and one of seeds alone, have a page too', () => {
  const { trials, axes, ...others } = sampleSweep();
  const begun = trials.map(({ number, id, values, seed }) => ({
    ...{ number, id, values, seed, state: 'open' as const, course: [] },
  }));
  assert.match(renderSweepPage({ ...others, axes, trials: begun }), /<dt>open<\/dt><dd>8<\/dd>/);
  const seeds = trials.slice(0, 2).map((trial) => ({ ...trial, values: {} }));
  const page = renderSweepPage({ ...others, axes: axes.slice(2), trials: seeds });
  assert.match(page, /<small>no axis but the seed<\/small>/);
  assert.doesNotMatch(page, /What came of each configuration/);
});
