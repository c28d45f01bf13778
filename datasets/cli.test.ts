import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import type { Examples } from '../lib/federation/examples.js';
import { readDataset } from '../lib/formats/data/dataset.js';
import { sha256 } from '../lib/formats/files/read-file.js';
import { partsOf } from '../test/datasets.js';
import { sendRange, serveForTest } from './testing/test-server.js';

const program = fileURLToPath(new URL('./cli.js', import.meta.url));
const BYTES = Uint8Array.from({ length: 100_000 }, (_, at) => (at * 31) & 255);

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'fedbatch-'));
});
afterEach(() => rm(directory, { recursive: true }));

function run(...args: string[]) {
  const env = { FEDBATCH_CACHE_DIR: join(directory, 'cache'), FEDBATCH_LOG_FORMAT: 'human' };
  return execa(process.execPath, [program, ...args], { reject: false, env });
}

test('alone, it lists the datasets, where they lie and whether they are there', async () => {
  const before = await run();
  assert.equal(before.exitCode, 0);
  assert.match(before.stdout, /^digits {2}.*\n.*cache.digits-v\d+-seed0-6000-1000\.npz \(not there yet\)$/m);
  assert.match(before.stdout, /^mnist {3}.*\n.*cache.mnist\.npz \(not there yet\)$/m);
  await run('digits');
  assert.match((await run()).stdout, /digits-v\d+-seed0-6000-1000\.npz \(5\.5 MB\)$/m);
});

test('digits writes the file that was asked for, and the same bytes each time', async () => {
  const out = join(directory, 'mine.npz');
  const first = await run('digits', '--out', out, '--seed', '4', '--train', '50', '--test', '20');
  assert.equal(first.exitCode, 0, first.stderr);
  const result = JSON.parse(first.stdout) as { file: string; sha256: string; sizeBytes: number };
  const bytes = await readFile(out);
  assert.deepEqual([result.file, result.sha256, result.sizeBytes], [out, sha256(bytes), bytes.length]);
  const { train, test: held } = await readDataset(out);
  assert.deepEqual([partsOf(train).shape[0], partsOf(held as Examples).shape[0]], [50, 20]);
  await run('digits', '--out', out, '--seed', '4', '--train', '50', '--test', '20');
  assert.equal(sha256(await readFile(out)), result.sha256);
});

test('mnist downloads, and a second time finds it', async (t) => {
  const server = await serveForTest((request, response) => sendRange(request, response, { bytes: BYTES }));
  t.after(() => server.close());
  const flags = ['mnist', '--url', server.url, '--sha256', sha256(BYTES).toUpperCase()];
  const first = await run(...flags);
  assert.equal(first.exitCode, 0, first.stderr);
  const { file, skipped } = JSON.parse(first.stdout) as { file: string; skipped: boolean };
  assert.deepEqual([file, skipped], [join(directory, 'cache', 'mnist.npz'), false]);
  assert.equal(sha256(await readFile(file)), sha256(BYTES));
  const second = await run(...flags);
  assert.equal((JSON.parse(second.stdout) as { skipped: boolean }).skipped, true);
  assert.equal(server.requests.length, 1);
});

test('without a network one sentence says what to do, and the exit code is 5', async (t) => {
  const server = await serveForTest(() => {});
  t.after(() => server.close());
  await server.close();
  const out = join(directory, 'mnist.npz');
  const { exitCode, stderr, stdout } = await run('mnist', '--url', server.url, '--out', out);
  assert.equal(exitCode, 5);
  assert.equal(stdout, '');
  const error = stderr.split('\n').filter((line) => line.startsWith('error:'));
  assert.equal(error.length, 1);
  for (const part of ['cannot be reached', `copy it to ${out}`, '--data FILE', '--data digits']) {
    assert.ok(error[0]?.includes(part), `${part} in ${error[0]}`);
  }
  assert.doesNotMatch(stderr, /\n {4}at /);
  assert.ok(!existsSync(out));
});

test('a wrong checksum is exit code 5 and says what was found', async (t) => {
  const server = await serveForTest((request, response) => sendRange(request, response, { bytes: BYTES }));
  t.after(() => server.close());
  const { exitCode, stderr } = await run('mnist', '--url', server.url);
  assert.equal(exitCode, 5);
  assert.ok(stderr.includes(sha256(BYTES)) && stderr.includes('--sha256'), stderr);
});

test('pieces that do not fit together: try again, and no word of another checksum', async (t) => {
  const out = join(directory, 'mnist.npz');
  const half = 40_000;
  const arrived = async () => {
    while ((await readFile(`${out}.part`).catch(() => '')).length < half) await sleep(5);
  };
  const server = await serveForTest((request, response, turn) => {
    const cut = turn === 0 ? { after: half, arrived } : undefined;
    sendRange(request, response, { bytes: BYTES, cut });
  });
  t.after(() => server.close());
  const { exitCode, stderr } = await run('mnist', '--url', server.url, '--out', out);
  assert.equal(exitCode, 5, stderr);
  assert.match(stderr, /came in several pieces, .* try again \(and remove \S+mnist\.npz\.part, if it/);
  assert.doesNotMatch(stderr, /--sha256/);
});

test('two processes that download to the same file do not spoil each other', async (t) => {
  const server = await serveForTest((request, response) => {
    setTimeout(() => sendRange(request, response, { bytes: BYTES }), 1_000);
  });
  t.after(() => server.close());
  const flags = ['mnist', '--url', server.url, '--sha256', sha256(BYTES)];
  const both = await Promise.all([run(...flags), run(...flags)]);
  for (const { exitCode, stderr } of both) assert.equal(exitCode, 0, stderr);
  assert.equal(sha256(await readFile(join(directory, 'cache', 'mnist.npz'))), sha256(BYTES));
  assert.deepEqual(await readdir(join(directory, 'cache')), ['mnist.npz']);
  assert.equal(server.requests.length, 1);
});

test('Ctrl-C keeps the part and is exit code 130', async (t) => {
  const server = await serveForTest((_, response) => {
    response
      .writeHead(200, { etag: '"v1"', 'content-length': BYTES.length })
      .write(BYTES.subarray(0, 40_000));
  });
  t.after(() => server.close());
  const out = join(directory, 'mnist.npz');
  const env = { FEDBATCH_LOG_FORMAT: 'json' };
  const child = execa(process.execPath, [program, 'mnist', '--url', server.url, '--out', out], {
    reject: false,
    env,
  });
  for await (const line of child.iterable({ from: 'stderr' })) {
    if (line.includes('"done":40000')) child.kill('SIGINT');
  }
  const { exitCode, stderr } = await child;
  assert.equal(exitCode, 130);
  assert.match(stderr, /40\.0 kB are kept in /);
  assert.equal((await readFile(`${out}.part`)).length, 40_000);
  assert.ok(!existsSync(out));
});

test('import tells of data as JSON, writes what is asked for, and ends with 3 where the data are bad', async () => {
  const source = join(directory, 'prices.csv');
  await writeFile(source, 'area,price,shop\n1,2.5,a\n2,3.5,b\n');
  const npz = join(directory, 'prices.npz');
  const flags = ['--target', 'price', '--client', 'shop', '--out', npz, '--json'];
  const { exitCode, stdout, stderr } = await run('import', source, ...flags);
  assert.equal(exitCode, 0, stderr);
  const told = JSON.parse(stdout) as {
    readonly npz: string;
    readonly description: { readonly target: object };
  };
  assert.deepEqual([told.npz, told.description.target], [npz, { column: 'price', as: 'numbers' }]);
  const { train } = await readDataset(npz);
  assert.deepEqual([...train.inputs[0].values, ...train.targets[0].values], [1, 2, 2.5, 3.5]);
  const bad = await run('import', source, '--target', 'cost');
  assert.equal(bad.exitCode, 3);
  assert.match(bad.stderr, /expected a column cost, found columns area, price, shop\.$/m);
});

test('wrong usage is exit code 2 and names the flag or the datasets', async () => {
  const cases: readonly (readonly [RegExp, ...string[]])[] = [
    [/There is no dataset mnits; there are digits, mnist\./, 'mnits'],
    [/--train .*from 10 to/, 'digits', '--train', '0'],
    [/--url .*http or https/, 'mnist', '--url', 'ftp://example.com/mnist.npz'],
    [/--sha256 .*64 hexadecimal/, 'mnist', '--sha256', 'abc'],
  ];
  for (const [message, ...args] of cases) {
    const { exitCode, stderr } = await run(...args);
    assert.equal(exitCode, 2, args.join(' '));
    assert.match(stderr, message);
  }
});
