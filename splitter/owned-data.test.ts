/** Tests of `fedbatch split` on data that say whose each example is, and of the parameters of all schemes. */

import assert from 'node:assert/strict';
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { labelledImages, takeExamples } from '../lib/federation/examples.js';
import { heldOutIndices, shardIndices } from '../lib/federation/partition/client-holdout.js';
import { readShard } from '../lib/formats/data/dataset.js';
import { encodeNpz, type NamedArray } from '../lib/formats/data/npz.js';
import { writeShard } from '../lib/formats/data/shard-file.js';
import { readPartition } from '../lib/formats/data/virtual-shards.js';
import { readManifest } from '../lib/formats/manifest.js';
import { numberedExamples, numbersOf, partsOf } from '../test/datasets.js';
import { runCommand } from '../test/program-host.js';
import { lastLine } from '../test/programs.js';
import { temporaryDirectory } from '../test/temporary-directory.js';

const split = (...argv: readonly string[]) => runCommand('split', argv);

/** Writes 12 examples, those of 3 writers in turn, and 5 to test on. */
async function writtenByThree(directory: string, writers: NamedArray['values'] = WRITERS): Promise<string> {
  const train = numberedExamples(12);
  const held = numberedExamples(5, 100);
  const path = join(directory, 'letters.npz');
  const bytes = await encodeNpz([
    { name: 'x_train', shape: partsOf(train).shape, values: partsOf(train).images },
    { name: 'y_train', shape: [12], values: partsOf(train).labels },
    { name: 'x_test', shape: partsOf(held).shape, values: partsOf(held).images },
    { name: 'y_test', shape: [5], values: partsOf(held).labels },
    { name: 'writer', shape: [writers.length], values: writers },
  ]);
  await writeFile(path, bytes);
  return path;
}

const WRITERS = BigInt64Array.from({ length: 12 }, (_, index) => [700n, -5n, 31n][index % 3] as bigint);

test('by-key makes a shard for each value of the key, and says which', async (t) => {
  const directory = await temporaryDirectory(t);
  const data = await writtenByThree(directory);
  const savedir = join(directory, 'data');
  const argv = ['--data', data, '--out', savedir, '--partition', 'by-key', '--key', 'writer'];
  const { exitCode, stderr, stdout } = await split(...argv);
  assert.equal(exitCode, 0, stderr);
  assert.equal(JSON.parse(lastLine(stdout)).shards, 3);
  const { shards, partition } = await readManifest(join(savedir, 'manifest.json'));
  assert.deepEqual(partition, { scheme: 'by-key', key: 'writer', minExamples: 1, seed: 0 });
  assert.deepEqual(
    shards.map(({ owner }) => owner),
    ['-5', '31', '700'],
  );
  const numbers = await Promise.all(
    [0, 1, 2].map(async (k) => numbersOf(await readShard(join(savedir, `${k}.npz`)))),
  );
  assert.deepEqual(numbers, [
    [1, 4, 7, 10],
    [2, 5, 8, 11],
    [0, 3, 6, 9],
  ]);
  assert.equal(JSON.parse(lastLine((await split(...argv, '--clients', '3')).stdout)).skipped, true);
});

test('given takes shards as they are', async (t) => {
  const directory = await temporaryDirectory(t);
  const given = join(directory, 'hospitals');
  const all = numberedExamples(20);
  const parts = [[3, 1], [19, 2, 7, 8], [0]];
  await mkdir(given);
  for (const [client, part] of parts.entries())
    await writeShard(join(given, `${client}.npz`), takeExamples(all, part));
  await writeShard(join(given, 'test.npz'), takeExamples(all, [10, 11]));
  const savedir = join(directory, 'data');
  const argv = ['--data', given, '--out', savedir, '--partition', 'given'];
  const first = await split(...argv);
  assert.equal(first.exitCode, 0, first.stderr);
  const read = async (name: string) => numbersOf(await readShard(join(savedir, `${name}.npz`)));
  assert.deepEqual(await Promise.all(['0', '1', '2', 'test'].map(read)), [...parts, [10, 11]]);
  assert.equal(JSON.parse(lastLine((await split(...argv)).stdout)).skipped, true);
  // A changed shard is another dataset.
  await writeShard(join(given, '2.npz'), takeExamples(all, [5]));
  assert.equal(JSON.parse(lastLine((await split(...argv)).stdout)).skipped, false);
  assert.deepEqual(await read('2'), [5]);

  const refused = async (code: number, message: RegExp, ...more: readonly string[]) => {
    const { exitCode, stderr } = await split(...argv, ...more);
    assert.equal(exitCode, code, stderr);
    assert.match(stderr, message);
    assert.equal(stderr.split('\n').length, 1, stderr);
  };
  await refused(2, /tells of 3 clients, which contradicts the 4 that are asked for/, '--clients', '4');
  await refused(2, /expected --out to be another directory/, '--out', given);
  await refused(
    2,
    /is a directory: the partition scheme given takes one/,
    '--partition',
    'iid',
    '--clients',
    '2',
  );
  await writeShard(join(given, '4.npz'), takeExamples(all, [5]));
  await refused(3, /hospitals: expected a directory of shards .*, found 4 of them without 3\.npz\.$/);
  await writeFile(join(given, 'copy of 2.npz'), '');
  await refused(3, /found copy of 2\.npz among them\.$/);
  await refused(
    3,
    /letters: expected a dataset .*, found no such file\.$/,
    '--data',
    join(directory, 'letters'),
  );
});

test('given shards without a test set give up a share, of shards of one kind', async (t) => {
  const directory = await temporaryDirectory(t);
  const given = join(directory, 'given');
  const savedir = join(directory, 'data');
  await mkdir(given);
  await writeShard(join(given, '0.npz'), numberedExamples(50));
  await writeShard(join(given, '1.npz'), numberedExamples(50, 50));
  // The scheme follows from what lies there.
  const argv = ['--data', given, '--out', savedir, '--test-fraction', '0.2'];
  assert.equal((await split(...argv)).exitCode, 0);
  const { shards, partition, test: held } = await readManifest(join(savedir, 'manifest.json'));
  assert.equal(partition.scheme, 'given');
  assert.equal(held.examples, 20);
  assert.equal(
    shards.reduce((sum, { examples }) => sum + examples, 0),
    80,
  );
  assert.ok(numbersOf(await readShard(join(savedir, '1.npz'))).every((number) => number >= 50));
  const wide = labelledImages([2, 3, 3], new Uint8Array(18), Int32Array.of(0, 1));
  await writeShard(join(given, '1.npz'), wide);
  const { exitCode, stderr } = await split(...argv);
  assert.equal(exitCode, 3);
  assert.match(
    stderr,
    /1\.npz: expected uint8 images \[2,2\] like the first shard, found uint8 images \[3,3\]\.$/,
  );
});

test('given takes what clients bring that they hold out, and the share of those that bring nothing', async (t) => {
  const directory = await temporaryDirectory(t);
  const given = join(directory, 'hospitals');
  const all = numberedExamples(30);
  const write = async (name: string, numbers: readonly number[]) =>
    await writeShard(join(given, `${name}.npz`), takeExamples(all, numbers));
  await mkdir(given);
  const own = Array.from({ length: 10 }, (_, at) => 20 + at);
  await write('0', [1, 2, 3]);
  await write('0-test', [5, 4]);
  await write('1', own);
  await write('test', [10, 11]);
  const savedir = join(directory, 'data');
  const argv = ['--data', given, '--out', savedir];
  const refused = await split(...argv);
  assert.equal(refused.exitCode, 2, refused.stderr);
  assert.match(refused.stderr, /hospitals has 0-test\.npz, which a client holds out: with --client-holdout/);

  argv.push('--client-holdout', '0.2');
  const made = await split(...argv);
  assert.equal(made.exitCode, 0, made.stderr);
  const read = async (name: string) => numbersOf(await readShard(join(savedir, `${name}.npz`)));
  assert.deepEqual(
    [await read('0'), await read('0-test'), await read('test')],
    [
      [1, 2, 3],
      [5, 4],
      [10, 11],
    ],
  );
  const [kept, held] = [await read('1'), await read('1-test')];
  assert.equal(held.length, 2);
  assert.deepEqual(
    [...kept, ...held].sort((a, b) => a - b),
    own,
  );

  const simulated = await split(...argv, '--virtual');
  assert.equal(simulated.exitCode, 0, simulated.stderr);
  const rows = await read('train');
  const lists = await readPartition(join(savedir, 'partition.npz'), rows.length);
  const of = (indices: Int32Array) => [...indices].map((index) => rows[index]);
  assert.deepEqual(
    [of(shardIndices(lists, 0)), of(heldOutIndices(lists, 0))],
    [
      [1, 2, 3],
      [5, 4],
    ],
  );
  assert.deepEqual([of(shardIndices(lists, 1)), of(heldOutIndices(lists, 1))], [kept, held]);

  // What a client holds out is part of the data, and none of it becomes the test of all.
  await rm(join(given, 'test.npz'));
  await write('0-test', [6, 7, 8, 9]);
  const other = await split(...argv, '--test-fraction', '0.4');
  assert.equal(JSON.parse(lastLine(other.stdout)).skipped, false);
  assert.deepEqual(await read('0-test'), [6, 7, 8, 9]);
  assert.ok((await read('test')).every((number) => [1, 2, 3, ...own].includes(number)));
});

const refusals: readonly (readonly [code: number, argv: string, message: RegExp])[] = [
  [2, '--clients 5 --partition by-key --key writer', /tells of 3 clients, which contradicts the 5/],
  [2, '--partition by-key', /by-key needs --key, the name of the array/],
  [
    2,
    '--partition by-key --key writer --min-examples 5',
    /at most 2 clients for 12 training examples \(at least 5 each\), found 3/,
  ],
  [2, '--partition iid', /Expected --clients, the number of shards: --partition iid needs it/],
  [3, '--partition by-key --key author', /letters\.npz: expected an array author, found arrays "x_train", /],
  [
    3,
    '--partition by-key --key y_test',
    /expected 12 keys in y_test, one for each training example, found 5/,
  ],
  [3, '--partition by-key --key x_train', /expected x_train to be keys \[n\]/],
  [2, '--clients 2 --key writer', /--key writer belongs to --partition by-key, not to iid/],
  [
    2,
    '--clients 2 --partition dirichlet --alpha 0',
    /'--alpha <alpha>' argument '0' is invalid\. Expected a number above 0, found "0"/,
  ],
  [2, '--clients 2 --partition dirichlet --alpha=-1', /Expected a number above 0, found "-1"/],
  [2, '--clients 2 --partition dirichlet --alpha x', /Expected a number .*found "x"/],
  [
    2,
    '--clients 4 --partition pathological --pieces-per-client 4',
    /takes 16 pieces of at least 1 example, and there are 12/,
  ],
  [2, '--clients 4 --partition label-skew --labels-per-client 6', /at most 5 labels per client, .* found 6/],
  [
    2,
    '--clients 2 --partition label-skew --labels-per-client 2',
    /Cannot place 5 labels on 2 clients with 2 each/,
  ],
  [2, '--clients 3 --min-examples 5', /at most 2 clients for 12 training examples \(at least 5 each\)/],
];

for (const [code, argv, message] of refusals) {
  test(`${argv}: exit code ${code}, one sentence, nothing written`, async (t) => {
    const directory = await temporaryDirectory(t);
    const data = await writtenByThree(directory);
    const savedir = join(directory, 'data');
    const { exitCode, stderr, stdout } = await split('--data', data, '--out', savedir, ...argv.split(' '));
    assert.equal(exitCode, code, stderr);
    assert.match(stderr, message);
    assert.doesNotMatch(stderr, /\n\s+at /);
    assert.equal(stdout, '');
    await assert.rejects(readdir(savedir), /ENOENT/);
  });
}

test('the parameters of a scheme are recorded, and another parameter is another split', async (t) => {
  const directory = await temporaryDirectory(t);
  const data = await writtenByThree(directory);
  const savedir = join(directory, 'data');
  const again = async (...more: readonly string[]) => {
    const argv = ['--data', data, '--out', savedir, '--clients', '2', '--partition', 'dirichlet'];
    const { stdout, stderr } = await split(...argv, ...more);
    assert.equal(stderr.includes('error'), false, stderr);
    return JSON.parse(lastLine(stdout)).skipped;
  };
  assert.equal(await again(), false);
  assert.equal(await again('--alpha', '0.5'), true);
  assert.equal(await again('--alpha', '0.7'), false);
  assert.equal(await again('--alpha', '0.7', '--min-examples', '2'), false);
  const { partition } = await readManifest(join(savedir, 'manifest.json'));
  assert.deepEqual(partition, { scheme: 'dirichlet', alpha: 0.7, minExamples: 2, seed: 0 });
});

test('data.yaml that names the column of the clients deals by it, unless a number of clients is asked for', async (t) => {
  const directory = await temporaryDirectory(t);
  const data = join(directory, 'data.yaml');
  await writeFile(
    join(directory, 'sales.csv'),
    'age,shop,price\n1,b,1.5\n2,a,2.5\n3,b,3.5\n4,c,4.5\n5,a,5.5\n',
  );
  await writeFile(
    data,
    'kind: table\nsource: sales.csv\ntarget: { column: price, as: numbers }\nclient: shop\ntest: { column: age, from: 5 }\ninputs: { age: { columns: [age] } }\n',
  );
  const out = join(directory, 'data');
  const dealt = async (...argv: readonly string[]) => {
    const { exitCode, stderr } = await split('--data', data, '--out', out, ...argv);
    assert.equal(exitCode, 0, stderr);
    const { partition, shards } = await readManifest(join(out, 'manifest.json'));
    return { scheme: partition.scheme, owners: shards.map(({ owner }) => owner), stderr };
  };
  const byKey = await dealt();
  assert.equal(byKey.scheme, 'by-key');
  assert.deepEqual(byKey.owners, ['a', 'b', 'c']);
  assert.match(
    byKey.stderr,
    /data\.yaml names the column shop of the clients: each shop is one \(--partition by-key\)/,
  );
  assert.deepEqual((await dealt('--partition', 'by-key')).owners, ['a', 'b', 'c']);
  const asked = await dealt('--clients', '2');
  assert.deepEqual([asked.scheme, asked.owners], ['iid', [undefined, undefined]]);
  assert.match(asked.stderr, /which --clients overrules: without it, each shop is a client/);
  assert.equal((await dealt('--clients', '2', '--partition', 'strided')).scheme, 'strided');
});
