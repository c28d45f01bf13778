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
  // What was Genf is none of them, in shards and counts.
  const [before, after] = [plain, manifest].map((each) => each.inputs?.[1]?.counts ?? []);
  assert.equal(after?.[0], before?.[4]);
  assert.equal(after?.length, 4);
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
