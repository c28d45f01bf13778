/** Tests of `fedbatch stats`: the same numbers from a volume, a simulation's, a table and shards; what is left out of few clients; what is refused. */
import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { before, describe, it } from 'node:test';
import { encodeNpz } from '../lib/formats/data/npz.js';
import type { CategoriesResult, NumbersResult, StatisticsResult } from '../lib/formats/statistics-result.js';
import { runCommand } from '../test/program-host.js';
import { lastLine } from '../test/programs.js';
import { requireValid } from '../test/results.js';
import { sharedDirectory } from '../test/temporary-directory.js';

const ROWS = 60;
const income = (row: number) => 1e4 + 1500 * ((row * 7) % ROWS);
const shop = (row: number) => ['north', 'south', 'west'][row % 3] as string;
/** Genf is a city of the west alone. */
const city = (row: number) => (row === 5 ? 'Genf' : row % 2 === 0 ? 'Basel' : 'Bern');
const rows = Array.from({ length: ROWS }, (_, row) => row);
const SALES = `income,city,shop,price\n${rows.map((row) => [income(row), city(row), shop(row), row / 8].join(',')).join('\n')}\n`;

let directory: string;
const at = (name: string) => join(directory, name);
const stats = (...argv: readonly string[]) => runCommand('stats', argv, { cwd: directory });
async function told(...argv: readonly string[]): Promise<StatisticsResult> {
  const { exitCode, stdout, stderr } = await stats(...argv, '--json');
  assert.equal(exitCode, 0, stderr);
  const result = JSON.parse(lastLine(stdout)) as StatisticsResult;
  requireValid('statistics-result', result);
  return result;
}
const numbersIn = ({ columns }: StatisticsResult, name: string) =>
  columns.find((each) => each.name === name) as NumbersResult;
const categoriesIn = ({ columns }: StatisticsResult, name: string) =>
  columns.find((each) => each.name === name) as CategoriesResult;

before(async () => {
  directory = sharedDirectory();
  await writeFile(at('sales.csv'), SALES);
});

describe('fedbatch stats', () => {
  it('tells of a table by its clients what two passes over its rows find', async () => {
    const result = await told('sales.csv', '--client', 'shop');
    assert.deepEqual(
      result.clients,
      ['north', 'south', 'west'].map((owner) => ({ owner, examples: ROWS / 3 })),
    );
    const found = numbersIn(result, 'income');
    const values = rows.map(income);
    const mean = values.reduce((sum, each) => sum + each, 0) / ROWS;
    const variance = values.reduce((sum, each) => sum + (each - mean) ** 2, 0) / ROWS;
    assert.ok(Math.abs((found.mean ?? 0) - mean) < 1e-6);
    assert.ok(Math.abs((found.deviation ?? 0) - Math.sqrt(variance)) < 1e-6);
    assert.deepEqual(
      [found.values, found.missing, found.clients, found.least, found.most],
      [ROWS, 0, 3, Math.min(...values), Math.max(...values)],
    );
    const bin = (Math.max(...values) - Math.min(...values)) / 100;
    const sorted = values.toSorted((a, b) => a - b);
    assert.ok(Math.abs((found.quantiles?.[2] ?? 0) - (sorted[ROWS / 2] as number)) <= 1500 + bin);
    const north = rows.filter((row) => shop(row) === 'north').map(income);
    assert.equal(found.byClient?.[0]?.mean, north.reduce((sum, each) => sum + each, 0) / north.length);
    assert.deepEqual(categoriesIn(result, 'city'), {
      ...{ kind: 'categories', input: 'city', name: 'city', missing: 0 },
      categories: [
        { name: 'Basel', values: 30, clients: 3 },
        { name: 'Bern', values: 29, clients: 3 },
        { name: 'Genf', values: 1, clients: 1 },
      ],
      withheld: { categories: 0, values: 0 },
    });
    assert.equal(numbersIn(result, 'price').values, ROWS, 'targets are told of, too');
  });

  it('tells the same of a split, of a volume and of virtual shards', async () => {
    const split = (out: string, ...more: readonly string[]) =>
      runCommand(
        'split',
        ['--data', 'sales.csv', '--partition', 'by-key', '--key', 'shop', '--out', out, ...more],
        { cwd: directory },
      );
    assert.equal((await split('volume/data')).exitCode, 0);
    assert.equal((await split('simulated', '--virtual')).exitCode, 0);
    const [volume, shards, simulated] = [
      await told('volume'),
      await told('volume/data'),
      await told('simulated'),
    ];
    assert.deepEqual(volume.columns, shards.columns);
    assert.deepEqual(simulated.columns, shards.columns);
    assert.deepEqual(simulated.clients, shards.clients);
  });

  it('reads in a terminal of 80 columns', async () => {
    const { stdout } = await stats('sales.csv', '--client', 'shop');
    for (const line of stdout.split('\n')) assert.ok(line.length <= 80, line);
    assert.match(stdout, /^sales\.csv: 3 clients, 60 examples$/m);
    assert.match(stdout, /^income +60 +0 +54250 +25977 +10000 +98500$/m);
    assert.match(stdout, /^city: Basel 30 \(3\), Bern 29 \(3\), Genf 1 \(1\)$/m);
    assert.match(stdout, /^from client to client +lowest mean +client/m);
    assert.match(stdout, /[▁▂▃▄▅▆▇█]{10}/);
  });

  it('leaves out what fewer clients have than are asked for', async () => {
    const result = await told('sales.csv', '--client', 'shop', '--min-clients-per-statistic', '2');
    const found = numbersIn(result, 'income');
    assert.equal(found.byClient, undefined);
    const least = ['north', 'south', 'west'].map((each) =>
      Math.min(...rows.filter((row) => shop(row) === each).map(income)),
    );
    assert.equal(found.least, least.sort((a, b) => a - b)[1]);
    assert.ok(found.histogram !== null && found.histogram.merged > 0);
    assert.equal(
      found.histogram.counts.reduce((sum, each) => sum + each, 0),
      ROWS,
    );
    assert.deepEqual(
      categoriesIn(result, 'city').categories.map(({ name }) => name),
      ['Basel', 'Bern'],
    );
    assert.deepEqual(categoriesIn(result, 'city').withheld, { categories: 1, values: 1 });
    const { stdout } = await stats('sales.csv', '--client', 'shop', '--min-clients-per-statistic', '2');
    assert.doesNotMatch(stdout, /Genf|from client to client/);
    assert.match(stdout, /Behind each statistic stand at least 2 clients/);
  });

  it('counts what is missing in shards that nobody has split here, and what one of them lacks', async () => {
    await mkdir(at('hospitals'));
    for (const [client, values] of [
      [1, Number.NaN, 3],
      [Number.NaN, Number.NaN, 9],
    ].entries()) {
      const x = { name: 'x', shape: [3, 1], values: Float32Array.from(values) };
      const y = { name: 'y', shape: [3], values: Int32Array.of(0, 1, 1) };
      await writeFile(at(`hospitals/${client}.npz`), await encodeNpz([x, y]));
    }
    const found = numbersIn(await told('hospitals'), 'x');
    assert.deepEqual([found.values, found.missing, found.mean], [3, 3, 13 / 3]);
    assert.deepEqual(
      found.byClient?.map(({ missing, mean }) => [missing, mean]),
      [
        [1, 2],
        [2, 9],
      ],
    );
  });

  it('refuses to tell of fewer clients than are asked for, and what is no data', async () => {
    const few = await stats('sales.csv', '--client', 'shop', '--min-clients-per-statistic', '4');
    assert.equal(few.exitCode, 2);
    assert.match(few.stderr, /--min-clients-per-statistic 4 is more than the 3 clients of sales\.csv/);
    await mkdir(at('begun'));
    await writeFile(at('begun/run.json'), '{}');
    const begun = await stats('begun');
    assert.equal(begun.exitCode, 3);
    assert.match(
      begun.stderr,
      /begun: expected a volume with data\/manifest\.json, found a run that has not split/,
    );
    assert.equal((await stats('nowhere')).exitCode, 3);
  });
});
