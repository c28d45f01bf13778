/** Tests of splits whose clients hold examples out: where these lie, in files and virtually, and what is done again. */
import assert from 'node:assert/strict';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { heldOutIndices, shardIndices } from '../lib/federation/partition/client-holdout.js';
import { readShard } from '../lib/formats/data/dataset.js';
import { writeShard } from '../lib/formats/data/shard-file.js';
import { readPartition } from '../lib/formats/data/virtual-shards.js';
import { type Manifest, readManifest } from '../lib/formats/manifest.js';
import { encodeDataset, numberedExamples, numbersOf } from '../test/datasets.js';
import { runCommand } from '../test/program-host.js';
import { lastLine } from '../test/programs.js';
import { temporaryDirectory } from '../test/temporary-directory.js';

/** A dataset in a directory of its own, and how it is split beside itself. */
async function prepared(directory: string, count = 103) {
  const data = join(directory, 'dataset.npz');
  const savedir = join(directory, 'data');
  await writeFile(data, await encodeDataset(numberedExamples(count), numberedExamples(20, 1000)));
  const split = async (...args: readonly string[]) =>
    runCommand('split', ['--data', data, '--out', savedir, ...args]);
  return {
    savedir,
    split,
    async splitWell(...args: readonly string[]): Promise<Manifest> {
      const { exitCode, stderr } = await split(...args);
      assert.equal(exitCode, 0, stderr);
      return await readManifest(join(savedir, 'manifest.json'));
    },
    numbers: async (file: string) => numbersOf(await readShard(join(savedir, file))),
  };
}

test('shard and held-out part of a client are what it was dealt, each label gives up its share, and nobody else changes', async (t) => {
  const { savedir, splitWell, numbers } = await prepared(await temporaryDirectory(t));
  const flags = ['--clients', '4', '--partition', 'dirichlet', '--alpha', '0.5', '--seed', '3'];
  const { shards: whole, test: testSet } = await splitWell(...flags);
  const dealt = await Promise.all(whole.map(({ file }) => numbers(file)));
  const manifest = await splitWell(...flags, '--client-holdout', '0.2');
  assert.equal(manifest.clientHoldout, 0.2);
  assert.equal(manifest.test.sha256, testSet.sha256);
  assert.deepEqual(
    (await readdir(savedir)).filter((name) => name.includes('-')).sort(),
    whole.map((_, client) => `${client}-test.npz`),
  );
  for (const [client, { file, examples, labelHistogram, heldOut }] of manifest.shards.entries()) {
    assert.ok(heldOut !== undefined);
    const [kept, held] = [await numbers(file), await numbers(heldOut.file)];
    const all = dealt[client] ?? [];
    assert.deepEqual(
      all.filter((number) => !held.includes(number)),
      kept,
    );
    assert.deepEqual(
      all.filter((number) => !kept.includes(number)),
      held,
    );
    assert.deepEqual([examples, heldOut.examples], [kept.length, held.length]);
    assert.equal(held.length, Math.max(1, Math.round(all.length * 0.2)));
    for (const [label, count] of (heldOut.labelHistogram ?? []).entries()) {
      const ofLabel = count + (labelHistogram?.[label] ?? 0);
      assert.ok(Math.abs(count - (held.length * ofLabel) / all.length) < 1);
    }
  }
});

test('the same split is recognised; another share, or a held-out part that is damaged, makes it again', async (t) => {
  const { savedir, split, splitWell } = await prepared(await temporaryDirectory(t));
  const skipped = async (...args: readonly string[]) => {
    const { stdout, stderr } = await split('--clients', '3', ...args);
    return JSON.parse(lastLine(stdout) || stderr).skipped as boolean;
  };
  const holdout = ['--client-holdout', '0.1'];
  const first = await splitWell('--clients', '3', ...holdout);
  assert.equal(await skipped(...holdout), true);
  await writeFile(join(savedir, '1-test.npz'), 'damaged');
  assert.equal(await skipped(...holdout), false);
  assert.deepEqual(await readManifest(join(savedir, 'manifest.json')), first, 'the same bytes again');
  assert.equal(await skipped('--client-holdout', '0.3'), false);
  assert.equal(await skipped(), false);
  const files = (await readdir(savedir)).sort();
  assert.deepEqual(files, ['0.npz', '1.npz', '2.npz', 'manifest.json', 'test.npz']);
});

test('virtual shards hold out the same examples', async (t) => {
  const { savedir, splitWell, numbers } = await prepared(await temporaryDirectory(t));
  const flags = ['--clients', '3', '--client-holdout', '0.15'];
  const { shards } = await splitWell(...flags);
  const real = await Promise.all(
    shards.map(async ({ file, heldOut }) => [await numbers(file), await numbers(heldOut?.file ?? '')]),
  );
  const { virtual } = await splitWell(...flags, '--virtual');
  const all = await numbers('train.npz');
  const lists = await readPartition(join(savedir, 'partition.npz'), all.length);
  const of = (indices: Int32Array) => [...indices].map((index) => all[index]);
  assert.deepEqual(
    shards.map((_, client) => [of(shardIndices(lists, client)), of(heldOutIndices(lists, client))]),
    real,
  );
  assert.deepEqual(
    virtual?.clients.map(({ heldOut }) => heldOut),
    shards.map(({ heldOut }) => ({
      examples: heldOut?.examples,
      labelHistogram: heldOut?.labelHistogram,
    })),
  );
});

test('clients with one example keep it, with a warning; where all have one, nothing is written', async (t) => {
  const directory = await temporaryDirectory(t);
  const { savedir, split, splitWell } = await prepared(directory, 5);
  const { exitCode, stderr } = await split('--clients', '4', '--client-holdout', '0.5');
  assert.equal(exitCode, 0, stderr);
  assert.match(
    stderr,
    /Clients with a single example: 3 of 4\. They train on it, hold nothing out and are not tested\.$/m,
  );
  const { shards } = await readManifest(join(savedir, 'manifest.json'));
  assert.deepEqual(
    shards.map(({ examples, heldOut }) => [examples, heldOut?.examples]),
    [[1, 1], ...Array.from({ length: 3 }, () => [1, undefined])],
  );
  await splitWell('--clients', '2');
  const refused = await split('--clients', '5', '--client-holdout', '0.5');
  assert.equal(refused.exitCode, 2);
  assert.match(
    refused.stderr,
    /^error: None of 5 clients can hold out 0\.5 of its examples: expected two or more /m,
  );
  const checked = await split('--clients', '5', '--client-holdout', '0.5', '--check');
  assert.equal(checked.exitCode, 2);
  assert.equal(
    (await readManifest(join(savedir, 'manifest.json'))).shards.length,
    2,
    'the split of before stays',
  );
});

test('a share that is none is refused by name', async (t) => {
  const { split } = await prepared(await temporaryDirectory(t));
  for (const share of ['0', '1', '2']) {
    const { exitCode, stderr } = await split('--clients', '3', '--client-holdout', share);
    assert.equal(exitCode, 2);
    assert.match(stderr, /--client-holdout <share>.* Expected a number above 0 and below 1, found/);
  }
});

test('targets that are no labels are held out by number', async (t) => {
  const directory = await temporaryDirectory(t);
  const { savedir } = await prepared(directory);
  const data = join(directory, 'numbers.npz');
  const values = Float32Array.from({ length: 40 }, (_, at) => at / 3);
  await writeShard(data, {
    inputs: [{ name: 'x', shape: [40, 1], values }],
    targets: [{ name: 'y', shape: [40, 1], values: values.map((value) => value + 0.5) }],
  });
  const { exitCode, stderr } = await runCommand('split', [
    ...['--data', data, '--out', savedir, '--clients', '2', '--client-holdout', '0.25'],
  ]);
  assert.equal(exitCode, 0, stderr);
  const { shards } = await readManifest(join(savedir, 'manifest.json'));
  const of = (examples: number) => Math.round(examples * 0.25);
  for (const { examples, heldOut } of shards) {
    assert.ok(heldOut !== undefined && heldOut.labelHistogram === undefined);
    assert.equal(heldOut.examples, of(examples + heldOut.examples));
  }
});
