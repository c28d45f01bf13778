import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { Command } from 'commander';
import { askedByFlagsAndFile } from '../../lib/settings/config-file.js';
import { addSettings } from '../../lib/settings/options.js';
import { runSettings } from '../../lib/settings/run-settings.js';
import { ALL_PARTS } from '../../lib/settings/table.js';
import { replaceSection } from '../report.js';
import type { Attempt } from './attempt.js';
import { CELLS, type Cell, cellArguments, settingsHash, type TableName } from './cells.js';
import { curvesChart } from './chart.js';
import { figures, sections } from './report.js';
import { bestOutcome, outcomesOf, type Results, readResults, withAttempt, writeResults } from './results.js';
import { tableOf } from './tables.js';

/** An attempt with these values in the rounds 1, 2, … */
const attempt = (learningRate: number, ...values: readonly number[]): Attempt => ({
  ...{ learningRate, seed: 0, seconds: 90 },
  curve: values.map((value, index) => ({ round: index + 1, value })),
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

test('with several seeds a cell says mean and standard deviation, or how many seeds got there', () => {
  const seeds = [attempt(0.1, 0.98, 1), { ...attempt(0.1, 0.5, 0.98, 1), seed: 1 }];
  const [, , , , all, best] = row('paper', { 'cnn-iid-e5-b10': seeds }, 'CNN', 'E = 5, B = 10, IID');
  assert.deepEqual([all, best], ['**2.0 ± 0.7 (2 seeds)**', '100.00 ± 0.00 %']);
  const one = [...seeds, { ...attempt(0.1, 0.5, 0.94), seed: 2 }];
  const [, , , , some] = row('paper', { 'cnn-iid-e5-b10': one }, 'CNN', 'E = 5, B = 10, IID');
  assert.equal(some, '**2 of 3 seeds in 2 to 3 rounds (98.00 ± 3.46 % so far)**');
});

test('a cell that did not get there says how far it got, and one without a round that it was not run', () => {
  const results = { '2nn-iid-e1-b10': [attempt(0.1, 0.9, 0.92)], 'cnn-iid-e1-b10': [attempt(0.1)] };
  assert.equal(row('paper', results, 'CNN', 'E = 1, B = 10, IID')[4], 'not run yet');
  const [, , , , open] = row('paper', results, '2NN', 'E = 1, B = 10, IID');
  assert.equal(open, '**not in 2 rounds (92.00 % so far)**');
});

test('a cell of niid_bench says the best and the last round of its seeds beside the published figure', () => {
  const seeds = [attempt(0.01, 0.98, 0.99, 0.97), { ...attempt(0.01, 0.98, 0.97), seed: 1 }];
  assert.deepEqual(row('niid-bench', { 'niid-two-labels-fedavg': seeds }, '2 labels a client: FedAvg'), [
    ...['2 labels a client: FedAvg', '96.86 ± 0.30 %', '**98.50 ± 0.71 %**', '97.00 ± 0.00 %', '2'],
    ...['2 to 3 of 50', '0.01: 98.50 ± 0.71 %', '3 min'],
  ]);
  assert.deepEqual(row('niid-bench', {}, 'IID: SCAFFOLD'), [
    ...['IID: SCAFFOLD', '99.06 %', 'not run yet', '', '', 'of 50'],
    ...['0.03: not run yet; 0.1: not run yet', ''],
  ]);
  const [, , best] = row('own', { ratings: [attempt(0.1, 1.2, 0.95, 1)] }, CELLS.ratings?.title as string);
  assert.equal(best, '**0.9500 (round 2)**');
});

test('the best learning rate has the fewest rounds; before any got there, the best accuracy', () => {
  const cell = CELLS['cnn-iid-e5-b10'];
  assert.ok(cell);
  const reached = [attempt(0.2, 0.9, 0.995), attempt(0.1, 0.99), attempt(0.05, 0.98)];
  assert.equal(bestOutcome(cell, outcomesOf(cell, reached))?.learningRate, 0.1);
  const open = [attempt(0.2, 0.9, 0.95), attempt(0.05, 0.98)];
  assert.equal(bestOutcome(cell, outcomesOf(cell, open))?.learningRate, 0.05);
  assert.equal(bestOutcome(cell, []), undefined);
});

test('an attempt takes the place of what it goes on from, never of one that is further on, or of another seed', () => {
  const longer = attempt(0.1, 0.5, 0.6);
  const results = withAttempt({ a: [attempt(0.1, 0.5)], b: [] }, 'a', longer);
  assert.deepEqual(results, { a: [longer], b: [] });
  assert.deepEqual(withAttempt(results, 'a', attempt(0.1, 0.5)), results);
  const more = withAttempt(withAttempt(results, 'a', attempt(0.05, 0.5)), 'a', { ...longer, seed: 1 });
  assert.deepEqual(
    more.a?.map(({ learningRate, seed }) => [learningRate, seed]),
    [
      [0.05, 0],
      [0.1, 0],
      [0.1, 1],
    ],
  );
});

test('results are the same after writing and reading; none where there is no file, or it is of other settings', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'fedbatch-'));
  t.after(() => rm(directory, { recursive: true, force: true }));
  const folder = join(directory, 'results');
  assert.deepEqual(await readResults(folder), {});
  const gap = { ...attempt(0.3), curve: [{ round: 3, value: 0.5 }] };
  const hashes = { data: 'a'.repeat(64), model: 'b'.repeat(64) };
  const [first, second] = [
    [attempt(0.1, 0.5), attempt(0.2), gap],
    [{ ...attempt(0.1, 0.75), seed: 4, hashes }],
  ];
  await writeResults(folder, 'speakers', first);
  await writeResults(folder, 'ratings', second);
  assert.deepEqual(await readResults(folder), { speakers: first, ratings: second });
  const file = join(folder, 'ratings.json');
  const text = await readFile(file, 'utf8');
  await writeFile(file, text.replace(settingsHash(CELLS.ratings as Cell), 'another'));
  assert.deepEqual(await readResults(folder), { speakers: first });
});

test('every section has its place in docs/FEDAVG.md, and every figure is shown there', async () => {
  const report = await readFile('docs/FEDAVG.md', 'utf8');
  for (const [name, markdown] of Object.entries(sections({}))) {
    assert.ok(replaceSection(report, name, markdown).includes(markdown));
  }
  for (const file of Object.keys(figures({}))) assert.ok(report.includes(`](fedavg/${file})`), file);
});

test('the results of docs/fedavg are all of the settings that the cells have now, and the report is made from them', async () => {
  const results = await readResults('docs/fedavg/results');
  const files = await readdir('docs/fedavg/results');
  assert.deepEqual(
    files.toSorted(),
    Object.keys(results)
      .map((name) => `${name}.json`)
      .toSorted(),
  );
  const report = await readFile('docs/FEDAVG.md', 'utf8');
  for (const [name, markdown] of Object.entries(sections(results)))
    assert.equal(replaceSection(report, name, markdown), report, name);
});

test('the arguments of each cell are those of a run, whose settings depend on the seed and the rate alone', async () => {
  for (const [name, cell] of Object.entries(CELLS)) {
    const line = (learningRate: number, seed: number) =>
      cellArguments(cell, { data: 'mnist', learningRate, seed }).slice(1);
    const command = addSettings(new Command(), { parts: ALL_PARTS }).exitOverride();
    command.parse([...line(0.1, 2)], { from: 'user' });
    const asked = await askedByFlagsAndFile(command, { parts: ALL_PARTS });
    const given = { ...asked.given, 'federation.clients': asked.given['federation.clients'] ?? 100 };
    const settings = runSettings({ ...asked, given });
    assert.equal(settings.seed, 2, name);
    assert.equal(settings.training.learningRate, 0.1, name);
    assert.equal(settings.federation.rounds, cell.rounds, name);
    assert.equal(settings.federation.targetAccuracy, cell.target, name);
    assert.ok(!line(0.1, 0).includes('--seed'), name);
  }
});

test('a chart draws each curve within its axes, a ring per reference, and escapes its labels', () => {
  const points = [1, 10, 100].map((round) => ({ round, value: 0.9 + Math.log10(round) / 50 }));
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
