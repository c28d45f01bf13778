/** Tests of the split itself: what lies in the files, what is done again and what is not, what a failure leaves. */
import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { DataError, UsageError } from '../lib/core/errors.js';
import { takeExamples } from '../lib/federation/examples.js';
import { shardIndices } from '../lib/federation/partition/client-holdout.js';
import { readDataset, readShard } from '../lib/formats/data/dataset.js';
import { readPartition } from '../lib/formats/data/virtual-shards.js';
import { sha256 } from '../lib/formats/files/read-file.js';
import { readManifest } from '../lib/formats/manifest.js';
import { silentReporter } from '../lib/observability/events.js';
import { encodeDataset, findMnist, numberedExamples, numbersOf, partsOf } from '../test/datasets.js';
import { partitionSettings } from '../test/settings.js';
import { temporaryDirectory } from '../test/temporary-directory.js';
import { type SplitOptions, splitDataset } from './split.js';

/** A dataset in a directory of its own, and the options to split it next to itself. */
async function prepared(directory: string, dataset: Uint8Array): Promise<SplitOptions> {
  const data = join(directory, 'dataset.npz');
  await writeFile(data, dataset);
  return {
    data,
    savedir: join(directory, 'data'),
    clients: 3,
    partition: partitionSettings('iid'),
    seed: 0,
    testFraction: 0.1,
    reporter: silentReporter,
  };
}

const numbers = async (options: SplitOptions, file: string) =>
  numbersOf(await readShard(join(options.savedir, file)));

/** The numbers in all shards, sorted. */
async function allNumbers(options: SplitOptions): Promise<number[]> {
  const names = (await readdir(options.savedir)).filter((name) => /^\d+\.npz$/.test(name));
  const shards = await Promise.all(names.map((name) => numbers(options, name)));
  return shards.flat().sort((a, b) => a - b);
}

const range = (from: number, to: number) => Array.from({ length: to - from }, (_, index) => from + index);
const withTest = () => encodeDataset(numberedExamples(101), numberedExamples(20, 1000));

for (const scheme of ['iid', 'strided'] as const) {
  for (const clients of [1, 3, 7, 101]) {
    test(`${scheme}, ${clients} shards: every example once, test examples as they were, a true manifest`, async (t) => {
      const base = await prepared(await temporaryDirectory(t), await withTest());
      const options = { ...base, partition: partitionSettings(scheme), clients };
      const { manifest, skipped } = await splitDataset(options);
      assert.equal(skipped, false);
      assert.deepEqual(await allNumbers(options), range(0, 101));
      assert.deepEqual(await numbers(options, 'test.npz'), range(1000, 1020));
      assert.deepEqual(await readManifest(join(options.savedir, 'manifest.json')), manifest);
      assert.equal(manifest.shards.length, clients);
      for (const shard of [...manifest.shards, manifest.test]) {
        const { labels } = partsOf(await readShard(join(options.savedir, shard.file)));
        const counted = range(0, 5).map((label) => labels.filter((each) => each === label).length);
        assert.deepEqual([shard.examples, shard.labelHistogram], [labels.length, counted]);
      }
      const { dataset, classes, image } = manifest;
      assert.deepEqual([dataset.file, dataset.testFraction, classes], ['dataset.npz', null, 5]);
      assert.deepEqual(image, { shape: [2, 2], dtype: 'uint8' });
    });
  }
}

test('a dataset of x and y alone gives up a share for the test', async (t) => {
  const options = await prepared(await temporaryDirectory(t), await encodeDataset(numberedExamples(50)));
  const { manifest } = await splitDataset({
    ...options,
    testFraction: 0.2,
    partition: partitionSettings('strided'),
  });
  const held = await numbers(options, 'test.npz');
  assert.equal(held.length, 10);
  assert.deepEqual(
    [...held, ...(await allNumbers(options))].sort((a, b) => a - b),
    range(0, 50),
  );
  const [first = -1, second = -1] = await numbers(options, '0.npz');
  assert.ok(first < second, 'the order of the file is kept');
  assert.equal(manifest.dataset.testFraction, 0.2);
});

test('the same arguments make the same bytes, another seed others', async (t) => {
  const options = await prepared(await temporaryDirectory(t), await encodeDataset(numberedExamples(50)));
  const hashes = async (changes: Partial<SplitOptions>) => {
    await rm(options.savedir, { recursive: true, force: true });
    const { manifest } = await splitDataset({ ...options, ...changes });
    return [...manifest.shards, manifest.test].map(({ sha256 }) => sha256);
  };
  assert.deepEqual(await hashes({}), await hashes({}));
  assert.notDeepEqual(await hashes({}), await hashes({ seed: 1 }));
});

test('finished work is recognised, and done again when anything about it has changed', async (t) => {
  const options = await prepared(await temporaryDirectory(t), await encodeDataset(numberedExamples(50)));
  const again = async (changes: Partial<SplitOptions> = {}) =>
    (await splitDataset({ ...options, ...changes })).skipped;
  const inside = (name: string) => join(options.savedir, name);
  assert.equal(await again(), false);
  assert.equal(await again(), true);
  for (const change of [
    { seed: 1 },
    { clients: 4 },
    { partition: partitionSettings('strided') },
    { testFraction: 0.2 },
  ]) {
    assert.equal(await again(change), false, JSON.stringify(change));
    assert.equal(await again(change), true);
    assert.equal(await again(), false);
  }
  const damages: readonly (() => Promise<unknown>)[] = [
    () => rm(inside('1.npz')),
    () => rm(inside('test.npz')),
    async () => {
      const bytes = await readFile(inside('0.npz'));
      bytes[bytes.length - 100] = (bytes[bytes.length - 100] ?? 0) ^ 1;
      await writeFile(inside('0.npz'), bytes);
    },
    async () => writeFile(options.data, await encodeDataset(numberedExamples(51))),
  ];
  for (const damage of damages) {
    await damage();
    assert.equal(await again(), false, String(damage));
    assert.equal(await again(), true, String(damage));
  }
  assert.deepEqual((await readdir(options.savedir)).sort(), [
    '0.npz',
    '1.npz',
    '2.npz',
    'manifest.json',
    'test.npz',
  ]);
});

test('shards of an earlier split with more clients and what a killed one left are cleared, other files are not', async (t) => {
  const options = await prepared(await temporaryDirectory(t), await withTest());
  await splitDataset({ ...options, clients: 12 });
  await writeFile(join(options.savedir, '.tmp-3.npz-0123abcd'), 'half');
  await writeFile(join(options.savedir, 'notes.txt'), 'mine');
  await splitDataset(options);
  const names = ['0.npz', '1.npz', '2.npz', 'manifest.json', 'notes.txt', 'test.npz'];
  assert.deepEqual((await readdir(options.savedir)).sort(), names);
  assert.deepEqual(await allNumbers(options), range(0, 101));
});

test('files that no split made are refused and stay as they are, whatever their names', async (t) => {
  const options = await prepared(await temporaryDirectory(t), await withTest());
  await mkdir(options.savedir);
  const refused = async (name: string, content: string) => {
    const path = join(options.savedir, name);
    await writeFile(path, content);
    const before = (await readdir(options.savedir)).sort();
    await assert.rejects(splitDataset({ ...options, seed: 5 }), (error) => {
      assert.ok(error instanceof UsageError, String(error));
      assert.ok(error.message.startsWith(path), error.message);
      assert.match(error.message, /choose an empty or new directory with --out\.$/);
      return true;
    });
    assert.equal(await readFile(path, 'utf8'), content);
    assert.deepEqual((await readdir(options.savedir)).sort(), before);
    await rm(path);
  };
  for (const name of ['2024.npz', '0.npz', 'test.npz']) await refused(name, 'my thesis');
  for (const content of ['{"name":"my extension","manifest_version":3}', '{'])
    await refused('manifest.json', content);
  await splitDataset(options);
  await refused('2024.npz', 'put beside the shards later');
  // Without their manifest nothing says whose the shards are.
  await rm(join(options.savedir, 'manifest.json'));
  await assert.rejects(
    splitDataset({ ...options, seed: 5 }),
    /0\.npz was not made by a split that is known here/,
  );
  assert.deepEqual(await allNumbers(options), range(0, 101));
});

test('the mark that a killed split leaves vouches for its files, and only for those', async (t) => {
  const options = await prepared(await temporaryDirectory(t), await withTest());
  const inside = (name: string) => join(options.savedir, name);
  await mkdir(options.savedir);
  await writeFile(inside('.split-in-progress'), '{"files":["0.npz","1.npz","../dataset.npz"]}');
  await writeFile(inside('0.npz'), 'half of a split');
  await writeFile(inside('2024.npz'), 'mine');
  await assert.rejects(splitDataset(options), /2024\.npz was not made by a split/);
  await rm(inside('2024.npz'));
  assert.equal((await splitDataset(options)).skipped, false);
  assert.deepEqual(await readFile(options.data), Buffer.from(await withTest()));
  // Killed between its manifest and the end: the split is whole, and a mark that stayed would vouch for too much.
  await writeFile(inside('.split-in-progress'), '{"files":["7.npz"]}');
  assert.equal((await splitDataset(options)).skipped, true);
  const names = ['0.npz', '1.npz', '2.npz', 'manifest.json', 'test.npz'];
  assert.deepEqual((await readdir(options.savedir)).sort(), names);
});

test('what vouches for the files of a split and cannot be read vouches for nothing and against nothing', async (t) => {
  const options = await prepared(await temporaryDirectory(t), await withTest());
  const inside = (name: string) => join(options.savedir, name);
  await mkdir(options.savedir);
  await writeFile(inside('0.npz'), 'half of a split');
  for (const name of ['.split-in-progress', 'manifest.json']) {
    await symlink(name, inside(name));
    // A refusal of the system, which may be gone the next time: no word about whose the shard is.
    await assert.rejects(
      splitDataset(options),
      (error) => error instanceof DataError && error.message.includes('(ELOOP)'),
    );
    assert.equal(await readFile(inside('0.npz'), 'utf8'), 'half of a split');
    await rm(inside(name));
  }
});

test('a bad dataset or too many clients leave an earlier split as it was', async (t) => {
  const options = await prepared(await temporaryDirectory(t), await withTest());
  const { manifest } = await splitDataset(options);
  await assert.rejects(
    splitDataset({ ...options, clients: 102 }),
    /at most 101 clients for 101 training examples/,
  );
  await writeFile(options.data, 'not an npz');
  await assert.rejects(splitDataset(options), /expected an npz .*, found something that is not a zip/);
  assert.deepEqual(await readManifest(join(options.savedir, 'manifest.json')), manifest);
  assert.deepEqual(await allNumbers(options), range(0, 101));
});

test('a dataset that the split would overwrite is refused', async (t) => {
  const options = await prepared(await temporaryDirectory(t), await withTest());
  await mkdir(options.savedir);
  for (const name of ['test.npz', '7.npz']) {
    const data = join(options.savedir, name);
    await writeFile(data, await withTest());
    await assert.rejects(
      splitDataset({ ...options, data }),
      /expected a dataset outside of --out, found one that the split/,
    );
    assert.deepEqual(await readFile(data), Buffer.from(await withTest()));
    await rm(data);
  }
  const beside = join(options.savedir, 'dataset.npz');
  await writeFile(beside, await withTest());
  assert.equal((await splitDataset({ ...options, data: beside })).skipped, false);
});

test('a split that is stopped leaves no shards', async (t) => {
  const options = await prepared(await temporaryDirectory(t), await withTest());
  const stop = new AbortController();
  const reporter = { ...silentReporter, progress: () => stop.abort(new Error('enough')) };
  await mkdir(options.savedir);
  await writeFile(join(options.savedir, 'notes.txt'), 'mine');
  await assert.rejects(splitDataset({ ...options, reporter, signal: stop.signal }), /enough/);
  assert.deepEqual(await readdir(options.savedir), ['notes.txt']);
});

test('virtual shards hold what shards in files hold, of all training examples in one file', async (t) => {
  for (const dataset of [await withTest(), await encodeDataset(numberedExamples(101))]) {
    const options = await prepared(await temporaryDirectory(t), dataset);
    const { manifest: real } = await splitDataset(options);
    const shards = await Promise.all(real.shards.map(({ file }) => numbers(options, file)));
    const virtual = { ...options, virtual: true };
    const { manifest } = await splitDataset(virtual);
    assert.deepEqual(
      (await readdir(options.savedir)).sort(),
      ['manifest.json', 'partition.npz', 'test.npz', 'train.npz'],
      'the shards in files are gone',
    );
    const all = await numbers(options, 'train.npz');
    const lists = await readPartition(join(options.savedir, 'partition.npz'), all.length);
    assert.deepEqual(
      shards.map((_, client) => [...shardIndices(lists, client)].map((index) => all[index])),
      shards,
    );
    const facts = ({ examples, labelHistogram }: (typeof real.shards)[number]) => ({
      examples,
      labelHistogram,
    });
    assert.deepEqual(manifest.virtual?.clients, real.shards.map(facts));
    assert.deepEqual(await readManifest(join(options.savedir, 'manifest.json')), manifest);
    assert.equal((await splitDataset(virtual)).skipped, true);
    await writeFile(join(options.savedir, 'partition.npz'), 'damaged');
    assert.equal((await splitDataset(virtual)).skipped, false);
    assert.equal((await splitDataset(options)).skipped, false);
    assert.deepEqual(
      await allNumbers(options),
      shards.flat().sort((a, b) => a - b),
    );
  }
});

test('MNIST, dealt by stride, holds in shard r what the file holds in [r::3]', async (t) => {
  const data = findMnist();
  if (data === undefined) return t.skip('no MNIST: set FEDBATCH_MNIST to the path of mnist.npz');
  const savedir = join(await temporaryDirectory(t), 'data');
  const partition = partitionSettings('strided');
  const options = { data, savedir, clients: 3, partition, seed: 0, testFraction: 0.1 };
  await splitDataset({ ...options, reporter: silentReporter });
  const source = await readDataset(data);
  for (const rank of [0, 1, 2]) {
    const wanted = takeExamples(
      source.train,
      range(0, 20_000).map((index) => rank + 3 * index),
    );
    const found = await readShard(join(savedir, `${rank}.npz`));
    assert.deepEqual(partsOf(found).shape, [20_000, 28, 28]);
    assert.equal(sha256(partsOf(found).images as Uint8Array), sha256(partsOf(wanted).images as Uint8Array));
    assert.deepEqual(partsOf(found).labels, partsOf(wanted).labels);
  }
  assert.equal(partsOf(await readShard(join(savedir, 'test.npz'))).labels.length, 10_000);
});
