/** Tests of a split's statistics: which inputs have them, that they are those of the training rows, who stands behind them. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { readShard } from '../lib/formats/data/dataset.js';
import { encodeNpz } from '../lib/formats/data/npz.js';
import type { Manifest } from '../lib/formats/manifest.js';
import { silentReporter } from '../lib/observability/events.js';
import { partitionSettings } from '../test/settings.js';
import { temporaryDirectory } from '../test/temporary-directory.js';
import { type SplitOptions, splitDataset } from './split.js';

const CITIES = ['Basel', 'Bern', 'Chur'];

/** Forty rows of four shops; Genf is a city of one shop alone, and b never varies. */
const SALES = `income,b,city,shop,price
${Array.from({ length: 40 }, (_, row) => {
  const shop = row % 4;
  const city = row === 7 ? 'Genf' : CITIES[row % 3];
  return [1e4 + 2500 * row, 7, city, shop, row / 8].join(',');
}).join('\n')}
`;

async function prepared(t: Parameters<typeof temporaryDirectory>[0]) {
  const directory = await temporaryDirectory(t);
  await writeFile(join(directory, 'sales.csv'), SALES);
  const warnings: string[] = [];
  const notes: string[] = [];
  const options: SplitOptions = {
    data: join(directory, 'sales.csv'),
    savedir: join(directory, 'data'),
    partition: partitionSettings('by-key', { key: 'shop' }),
    seed: 3,
    testFraction: 0.1,
    reporter: {
      ...silentReporter,
      warn: (message) => warnings.push(message),
      info: (message) => notes.push(message),
    },
  };
  return { directory, options, warnings, notes };
}

/** The training rows that lie in the shards. */
async function rowsIn({ savedir }: SplitOptions, { shards }: Manifest, input: string) {
  const parts = await Promise.all(shards.map(({ file }) => readShard(join(savedir, file))));
  return parts.map(({ inputs }) => inputs.find(({ name }) => name === input)?.values ?? new Float32Array());
}

test('a table has mean, variance and bounds of the training rows, and counts of its categories', async (t) => {
  const { options, warnings } = await prepared(t);
  const { manifest } = await splitDataset(options);
  const [numbers, city] = manifest.inputs ?? [];
  const rows = (await rowsIn(options, manifest, 'numbers')).flatMap((each) => [...each]);
  const income = rows.filter((_, at) => at % 2 === 0);
  const mean = income.reduce((sum, each) => sum + each, 0) / income.length;
  const variance = income.reduce((sum, each) => sum + (each - mean) ** 2, 0) / income.length;
  const { statistics } = numbers ?? {};
  assert.equal(income.length, 36);
  assert.deepEqual(
    [statistics?.values, statistics?.least, statistics?.most],
    [36, [Math.min(...income), 7], [Math.max(...income), 7]],
  );
  const parts = await Promise.all(manifest.shards.map(({ file }) => readShard(join(options.savedir, file))));
  const prices = parts.flatMap(({ targets }) => [...targets[0].values]);
  const { values, mean: price, least, most } = manifest.targets?.statistics ?? {};
  assert.deepEqual([values, least, most], [36, [Math.min(...prices)], [Math.max(...prices)]]);
  assert.ok(Math.abs((price?.[0] ?? 0) - prices.reduce((sum, each) => sum + each, 0) / 36) < 1e-9);
  assert.deepEqual([statistics?.mean[1], statistics?.variance[1]], [7, 0]);
  assert.ok(Math.abs((statistics?.mean[0] ?? 0) - mean) < 1e-9 * mean);
  assert.ok(Math.abs((statistics?.variance[0] ?? 0) - variance) < 1e-9 * variance);
  const cities = (await rowsIn(options, manifest, 'city')).flatMap((each) => [...each]);
  assert.deepEqual(
    city?.counts,
    [0, 1, 2, 3, 4].map((number) => cities.filter((each) => each === number).length),
  );
  assert.match(
    warnings.join(),
    /the column b has one value in all training examples, which tells a model nothing/,
  );
  // The same as virtual shards, whose rows lie in one file.
  const virtual = await splitDataset({ ...options, savedir: `${options.savedir}-virtual`, virtual: true });
  assert.deepEqual(virtual.manifest.inputs, manifest.inputs);
});

test('statistics are told as they are asked for, and done again where that has changed', async (t) => {
  const { options } = await prepared(t);
  const split = async (more: Partial<SplitOptions>) => {
    const { manifest, skipped } = await splitDataset({ ...options, ...more });
    return [skipped, manifest.inputs?.some(({ statistics, counts }) => statistics ?? counts)];
  };
  assert.deepEqual(await split({}), [false, true]);
  assert.deepEqual(await split({}), [true, true]);
  assert.deepEqual(await split({ normalize: 'off' }), [false, false]);
  assert.deepEqual(await split({ normalize: 'off' }), [true, false]);
  assert.deepEqual(await split({ normalize: 'on' }), [false, true]);
});

test('arrays of an npz have statistics where they are asked for, pictures never', async (t) => {
  const { directory, options } = await prepared(t);
  const write = async (name: string, shape: readonly number[]) => {
    const size = shape.reduce((all, each) => all * each);
    const values = Float32Array.from({ length: size }, (_, at) => (at % 10) / 10);
    const y = {
      name: 'y',
      shape: [shape[0] as number],
      values: Int32Array.from({ length: shape[0] as number }, (_, at) => at % 2),
    };
    await writeFile(join(directory, name), await encodeNpz([{ name: 'x', shape, values }, y]));
    return { ...options, data: join(directory, name), partition: partitionSettings('iid'), clients: 2 };
  };
  const rows = await write('rows.npz', [20, 5]);
  const { manifest } = await splitDataset(rows);
  assert.deepEqual(Object.keys(manifest.inputs?.[0] ?? {}), ['name', 'shape', 'dtype']);
  const wanted = await splitDataset({ ...rows, normalize: 'on' });
  assert.equal(wanted.manifest.inputs?.[0]?.statistics?.mean.length, 5);
  const pictures = await write('pictures.npz', [20, 8, 8]);
  await assert.rejects(
    splitDataset({ ...pictures, normalize: 'on' }),
    /--normalize on finds nothing to normalise, since no input is numbers \(floats\) other than pictures/,
  );
});

test('numbers that no model can be given are refused before anything is written', async (t) => {
  const { directory, options } = await prepared(t);
  const x = { name: 'x', shape: [4, 2], values: Float64Array.of(1, 1e300, 3, 1e300, 5, 1e300, 7, 1e300) };
  const y = { name: 'y', shape: [4], values: Int32Array.of(0, 1, 0, 1) };
  await writeFile(join(directory, 'huge.npz'), await encodeNpz([x, y]));
  const data = join(directory, 'huge.npz');
  const huge = { ...options, data, partition: partitionSettings('strided'), clients: 2, seed: 1 };
  await assert.rejects(
    splitDataset({ ...huge, testFraction: 0.25, normalize: 'on' }),
    /huge\.npz: expected numbers that a 32-bit float holds in x\[1\], as models are given them, found 3 larger ones/,
  );
  assert.ok(!existsSync(join(huge.savedir, 'manifest.json')));
});

test('behind each statistic stand as many clients as are asked for', async (t) => {
  const { options, notes } = await prepared(t);
  const plain = (await splitDataset(options)).manifest;
  const { manifest } = await splitDataset({ ...options, minClientsPerStatistic: 3 });
  assert.deepEqual(plain.inputs?.[1]?.categories, [...CITIES, 'Genf']);
  assert.deepEqual(manifest.inputs?.[1]?.categories, CITIES);
  assert.match(notes.join(), /1 categories of city are with fewer than 3 clients, and count as none/);
  assert.doesNotMatch(await readFile(join(options.savedir, 'manifest.json'), 'utf8'), /Genf/);
  // What was Genf is none of them.
  assert.equal(
    (await rowsIn(options, manifest, 'city')).flatMap((each) => [...each]).filter((each) => each === 0)
      .length,
    1,
  );
  const [before, after] = [plain, manifest].map((each) => each.inputs?.[1]?.counts ?? []);
  // One shop alone stands behind it, and it would follow from the others: so the least of them is withheld, too.
  const known = before?.slice(1, 4) as number[];
  const least = known.indexOf(Math.min(...known));
  assert.deepEqual(after, [null, ...known.map((count, city) => (city === least ? null : count))]);
  const incomes = (await rowsIn(options, manifest, 'numbers')).map((each) =>
    Math.min(...[...each].filter((_, at) => at % 2 === 0)),
  );
  assert.equal(manifest.inputs?.[0]?.statistics?.least[0], incomes.sort((a, b) => a - b)[2]);
  assert.equal(manifest.minClientsPerStatistic, 3);
  await assert.rejects(
    splitDataset({ ...options, minClientsPerStatistic: 5 }),
    /--min-clients-per-statistic 5 is more than the 4 clients of .*sales\.csv/,
  );
});

test('a missing number becomes the mean of its column over the clients, in every part, and the manifest says so', async (t) => {
  const { directory, options } = await prepared(t);
  const lacks = (row: number) => row % 5 === 1;
  const lines = SALES.split('\n').map((line, at) =>
    at > 0 && lacks(at - 1) ? line.replace(/^\d+/, '') : line,
  );
  await writeFile(join(directory, 'lacking.csv'), lines.join('\n'));
  const describe = async (missing: string, source = 'lacking.csv') =>
    await writeFile(
      join(directory, 'data.yaml'),
      `{ kind: table, source: ${source}, target: { column: price, as: numbers }, client: shop, missing: { ${missing} }, inputs: {
        numbers: { columns: [income, b] }, city: { columns: [city], categories: all } } }`,
    );
  await describe('income: mean');
  const wanted = { ...options, data: join(directory, 'data.yaml') };
  const { manifest } = await splitDataset(wanted);
  const parts = await Promise.all(
    [...manifest.shards, manifest.test].map(({ file }) => readShard(join(options.savedir, file))),
  );
  const found = parts.map(({ inputs: [{ values }], targets: [{ values: prices }] }) =>
    [...prices].map((price, at) => ({ row: price * 8, income: values[at * 2] as number })),
  );
  const known = (row: number) => 1e4 + 2500 * row;
  const trained = found.slice(0, -1).flat();
  const told = trained.filter(({ row }) => !lacks(row));
  const mean = told.reduce((sum, { row }) => sum + known(row), 0) / told.length;
  const recorded = manifest.inputs?.[0]?.missing?.income as number;
  assert.ok(Math.abs(recorded - mean) < 1e-9 * mean, `${recorded} and ${mean}`);
  for (const { row, income } of found.flat())
    assert.equal(income, lacks(row) ? Math.fround(recorded) : known(row), `row ${row}`);
  assert.equal(manifest.inputs?.[0]?.statistics?.values, trained.length);
  // Known by its manifest, as any other split.
  assert.equal((await splitDataset(wanted)).skipped, true);

  await describe('price: mean');
  await assert.rejects(splitDataset(wanted), /line 3: expected a number in column income, found nothing/);
  const none = lines.map((line, at) => (at === 0 ? line : line.replace(/^\d+/, '')));
  await writeFile(join(directory, 'none.csv'), none.join('\n'));
  await describe('income: mean', 'none.csv');
  await assert.rejects(
    splitDataset(wanted),
    /expected numbers that have a mean in column income, found none/,
  );
  await writeFile(join(directory, 'cheap.csv'), SALES.replace(/[\d.]+$/m, ''));
  await describe('price: mean', 'cheap.csv');
  await assert.rejects(
    splitDataset(wanted),
    /line 2: expected a number in column price, found mean under missing, which stands for numbers of inputs alone/,
  );
});

test('histograms are counted where they are asked for, between bounds that all clients know', async (t) => {
  const { options } = await prepared(t);
  const wanted = { ...options, histogramBins: 5 };
  const { manifest } = await splitDataset(wanted);
  const { statistics } = manifest.inputs?.[0] ?? {};
  const incomes = (await rowsIn(options, manifest, 'numbers')).flatMap((each) =>
    [...each].filter((_, at) => at % 2 === 0),
  );
  const [histogram, constant] = statistics?.histograms ?? [];
  const edges = histogram?.edges ?? [];
  assert.deepEqual([edges.length, edges[0], edges.at(-1)], [6, statistics?.least[0], statistics?.most[0]]);
  const counts = edges.slice(1).map((to, at) => {
    const isIn = (value: number) => value >= (edges[at] as number) && (value < to || at === 4);
    return incomes.filter(isIn).length;
  });
  assert.deepEqual(histogram?.counts, counts);
  assert.deepEqual(constant, { edges: [7, 7], counts: [incomes.length] });
  assert.equal(manifest.targets?.statistics?.histograms?.length, 1);
  assert.equal((await splitDataset(wanted)).skipped, true);
  assert.equal((await splitDataset({ ...options, histogramBins: 6 })).skipped, false);
  assert.equal((await splitDataset(options)).skipped, false);
  assert.doesNotMatch(await readFile(join(options.savedir, 'manifest.json'), 'utf8'), /histogram/);
  await assert.rejects(
    splitDataset({ ...wanted, normalize: 'off' }),
    /--histogram-bins finds no numbers that have statistics: those of a table have them/,
  );
});
