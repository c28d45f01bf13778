/** Tests of `fedbatch stats`: the same numbers from a volume, a simulation's, a table and shards; what is left out of few clients; what is refused. */
import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { before, describe, it } from 'node:test';
import fc from 'fast-check';
import { encodeNpz } from '../lib/formats/data/npz.js';
import type { CategoriesResult, NumbersResult, StatisticsResult } from '../lib/formats/statistics-result.js';
import { silentReporter } from '../lib/observability/events.js';
import { runCommand } from '../test/program-host.js';
import { lastLine } from '../test/programs.js';
import { requireValid } from '../test/results.js';
import { sharedDirectory } from '../test/temporary-directory.js';
import type { ClientSource } from './clients.js';
import { collectStatistics } from './collect.js';

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
      withheld: 0,
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
    // What is not told comes to 60 - 30, whoever subtracts: Genf's one value lies among Bern's.
    const { categories, withheld } = categoriesIn(result, 'city');
    assert.deepEqual([categories, withheld], [[{ name: 'Basel', values: ROWS / 2, clients: 3 }], ROWS / 2]);
    const { stdout } = await stats('sales.csv', '--client', 'shop', '--min-clients-per-statistic', '2');
    assert.doesNotMatch(stdout, /Genf|from client to client/);
    assert.match(stdout, /^city: Basel 30 \(3\), withheld: 30$/m);
    assert.match(stdout, /Behind each statistic stand at least 2 clients/);
  });

  const anyRow = fc.record({
    city: fc.nat({ max: 4 }),
    size: fc.constantFrom(1, 2, 5, 9, Number.NaN),
    label: fc.nat({ max: 2 }),
  });
  const anyClients = fc.array(fc.array(anyRow, { minLength: 1, maxLength: 7 }), {
    minLength: 2,
    maxLength: 6,
  });
  type Row = typeof anyRow extends fc.Arbitrary<infer R> ? R : never;
  const toldOf = (clients: readonly (readonly Row[])[], fewest: number) => {
    const source: ClientSource = {
      ...{ path: 'rows', owners: clients.map(() => undefined) },
      facts: { inputs: { city: { categories: ['Basel', 'Bern', 'Chur', 'Genf'] } } },
      read: async (client) => {
        const rows = clients[client] as readonly Row[];
        const [shape, length] = [[rows.length, 1], [rows.length]];
        return {
          examples: {
            inputs: [
              { name: 'city', shape, values: Int32Array.from(rows, (row) => row.city) },
              { name: 'size', shape, values: Float64Array.from(rows, (row) => row.size) },
            ],
            targets: [{ name: 'y', shape: length, values: Int32Array.from(rows, ({ label }) => label) }],
          },
        };
      },
    };
    const { signal } = new AbortController();
    return collectStatistics(source, { fewest, bins: 4, reporter: silentReporter, signal });
  };
  const CELLS = { city: (row: Row) => row.city, y: (row: Row) => row.label };

  it('tells no count of fewer clients than are asked for, and none that follows from those that are told', () =>
    fc.assert(
      fc.asyncProperty(anyClients, fc.integer({ min: 1, max: 6 }), async (clients, wanted) => {
        const fewest = Math.min(wanted, clients.length);
        const result = await toldOf(clients, fewest);
        const behind = (isIn: (row: Row) => boolean) => clients.filter((rows) => rows.some(isIn)).length;
        const counted = (isIn: (row: Row) => boolean) => clients.flat().filter(isIn).length;
        const requireEnough = (count: number, isIn: (row: Row) => boolean) => {
          assert.equal(count, counted(isIn));
          assert.ok(count === 0 || behind(isIn) >= fewest, `${count} values of ${behind(isIn)} clients`);
        };
        for (const [name, cellOf] of Object.entries(CELLS)) {
          const { categories, missing, withheld } = categoriesIn(result, name);
          const names = name === 'city' ? ['none', 'Basel', 'Bern', 'Chur', 'Genf'] : ['0', '1', '2'];
          const nameOf = (row: Row) => names[cellOf(row)] as string;
          const shown = new Set(categories.map((each) => each.name));
          for (const each of categories) requireEnough(each.values, (row) => nameOf(row) === each.name);
          if (missing !== null) requireEnough(missing, (row) => nameOf(row) === 'none');
          const isWithheld = (row: Row) =>
            !shown.has(nameOf(row)) && (nameOf(row) !== 'none' || missing === null);
          requireEnough(withheld, isWithheld);
        }
        const size = numbersIn(result, 'size');
        if (size.values !== null) requireEnough(size.values, (row) => !Number.isNaN(row.size));
        if (size.missing !== null) requireEnough(size.missing, (row) => Number.isNaN(row.size));
        assert.equal(size.values === null, size.missing === null);
        assert.ok(size.values !== null || size.histogram === null);
        assert.ok(size.clients === null || size.clients === 0 || size.clients >= fewest);
      }),
    ));

  it('tells the same whichever of fewer clients has what', () =>
    fc.assert(
      fc.asyncProperty(
        anyClients,
        fc.integer({ min: 2, max: 6 }),
        fc.array(fc.nat(), { minLength: 1, maxLength: 50 }),
        async (clients, wanted, choices) => {
          const fewest = Math.min(wanted, clients.length);
          const holders = (given: typeof clients, city: number) =>
            given.filter((rows) => rows.some((row) => row.city === city)).length;
          const rare = [0, 1, 2, 3, 4].filter((city) => holders(clients, city) < fewest);
          let next = 0;
          const another = ({ city, ...row }: Row): Row => ({
            ...row,
            city: rare.includes(city)
              ? (rare[(choices[next++ % choices.length] ?? 0) % rare.length] as number)
              : city,
          });
          const others = clients.map((rows) => rows.map(another));
          fc.pre(next > 0 && rare.every((city) => holders(others, city) < fewest));
          assert.deepEqual(
            categoriesIn(await toldOf(others, fewest), 'city'),
            categoriesIn(await toldOf(clients, fewest), 'city'),
          );
        },
      ),
    ));

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
