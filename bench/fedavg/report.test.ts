import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { replaceSection } from '../report.js';
import type { Attempt } from './attempt.js';
import { CELLS, cellArguments, type TableName } from './cells.js';
import { curvesChart } from './chart.js';
import { figures, sections } from './report.js';
import { bestOutcome, outcomesOf, type Results, readResults, withAttempt, writeResults } from './results.js';
import { tableOf } from './tables.js';

/** An attempt with these accuracies in the rounds 1, 2, … */
const attempt = (learningRate: number, ...accuracies: readonly number[]): Attempt => ({
  learningRate,
  accuracies: accuracies.map((accuracy, index) => ({ round: index + 1, accuracy })),
  seconds: 90,
  builds: [{ commit: 'abc1234', machine: 'a machine', date: '2026-01-01' }],
});

/** The row that begins so. */
const row = (table: TableName, results: Results, ...first: readonly string[]): readonly string[] => {
  const found = tableOf(table, results).rows.find((cells) => first.every((cell, at) => cells[at] === cell));
  assert.ok(found, `no row ${first}`);
  return found;
};

test('a cell says the interpolated rounds of its best rate beside those of the paper, and every rate tried', () => {
  const results = { 'cnn-iid-e5-b10': [attempt(0.1, 0.98, 1), attempt(0.05, 0.5, 0.98, 0.97)] };
  const cells = row('paper', results, 'CNN', 'E = 5, B = 10, IID');
  assert.deepEqual(cells, [
    ...['CNN', 'E = 5, B = 10, IID', '99 %', '20', '**1.5**', '100.00 % (round 2)'],
    '0.1: 1.5; 0.05: not in 3 rounds (98.00 % so far); 0.2: not run yet',
    '3 min',
  ]);
});

test('a cell that did not get there says how far it got, and one without a round that it was not run', () => {
  const results = { '2nn-iid-e1-b10': [attempt(0.1, 0.9, 0.92)], 'cnn-iid-e1-b10': [attempt(0.1)] };
  assert.equal(row('paper', results, 'CNN', 'E = 1, B = 10, IID')[4], 'not run yet');
  const [, , , , open] = row('paper', results, '2NN', 'E = 1, B = 10, IID');
  assert.equal(open, '**not in 2 rounds (92.00 % so far)**');
});

test('a cell of niid_bench says from which round on it was within 0.3 points', () => {
  const results = { 'niid-iid': [attempt(0.01, 0.98, 0.9883, 0.989)] };
  assert.deepEqual(row('niid-bench', results, 'IID'), [
    ...['IID', '99.09 %', '**98.90 % (round 3)**', '3', 'from round 2 on', '2 min'],
  ]);
});

test('the best attempt has the fewest rounds; before any got there, the best accuracy', () => {
  const cell = CELLS['cnn-iid-e5-b10'];
  assert.ok(cell);
  const reached = [attempt(0.2, 0.9, 0.995), attempt(0.1, 0.99), attempt(0.05, 0.98)];
  assert.equal(bestOutcome(outcomesOf(cell, reached))?.learningRate, 0.1);
  const open = [attempt(0.2, 0.9, 0.95), attempt(0.05, 0.98)];
  assert.equal(bestOutcome(outcomesOf(cell, open))?.learningRate, 0.05);
  assert.equal(bestOutcome([]), undefined);
});

test('an attempt takes the place of what it goes on from, never of one that is further on', () => {
  const longer = attempt(0.1, 0.5, 0.6);
  const results = withAttempt({ a: [attempt(0.1, 0.5)], b: [] }, 'a', longer);
  assert.deepEqual(results, { a: [longer], b: [] });
  assert.deepEqual(withAttempt(results, 'a', attempt(0.1, 0.5)), results);
  assert.deepEqual(
    withAttempt(results, 'a', attempt(0.05, 0.5)).a?.map(({ learningRate }) => learningRate),
    [0.05, 0.1],
  );
});

test('results are the same after writing and reading; none where there is no file', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'fedbatch-'));
  t.after(() => rm(directory, { recursive: true, force: true }));
  const path = join(directory, 'results.json');
  assert.deepEqual(await readResults(path), {});
  const gap = { ...attempt(0.3), accuracies: [{ round: 3, accuracy: 0.5 }] };
  const results = { a: [attempt(0.1, 0.5), attempt(0.2), gap], b: [attempt(0.1, 0.75)] };
  await writeResults(path, results);
  assert.deepEqual(await readResults(path), results);
});

test('every section has its place in docs/FEDAVG.md, and every figure is shown there', async () => {
  const report = await readFile('docs/FEDAVG.md', 'utf8');
  for (const [name, markdown] of Object.entries(sections({}))) {
    assert.ok(replaceSection(report, name, markdown).includes(markdown));
  }
  for (const file of Object.keys(figures({}))) assert.ok(report.includes(`](fedavg/${file})`), file);
});

test('each command names the data, the rate and the target', () => {
  for (const cell of Object.values(CELLS)) {
    const line = cellArguments(cell, { data: 'mnist', learningRate: 0.1 }).join(' ');
    assert.match(line, /^run --simulate --data mnist .*--learning-rate 0\.1 --target-accuracy (0\.\d+|1)$/);
  }
});

test('a chart draws each curve within its axes, a ring per reference, and escapes its labels', () => {
  const points = [1, 10, 100].map((round) => ({ round, accuracy: 0.9 + Math.log10(round) / 50 }));
  const svg = curvesChart({
    title: 'a < b',
    curves: [
      { label: 'one & only', points, reference: 10 },
      { label: 'no reference', points },
    ],
    target: 0.93,
    span: [0.9, 0.95],
  });
  assert.match(svg, /aria-label="a &lt; b"/);
  assert.match(svg, />one &amp; only</);
  assert.equal(svg.match(/<path class="curve"/g)?.length, 2);
  assert.equal(svg.match(/<circle class="ring"/g)?.length, 1);
  // Decades are as far from each other: x = 56, 380, 704 on an axis up to round 100.
  assert.match(svg, /d="M56,356L380,[\d.]+L704,[\d.]+"/);
  assert.match(svg, /prefers-color-scheme: dark/);
});
