/** End-to-end tests of `fedbatch split`, run as the program that a user starts. */

import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { encodeNpz } from '../lib/formats/data/npz.js';
import { writeShard } from '../lib/formats/data/shard-file.js';
import { readManifest } from '../lib/formats/manifest.js';
import { encodeDataset, findMnist, numberedExamples, withParts } from '../test/datasets.js';
import { haltedAt, isStopped } from '../test/processes.js';
import { runCommand } from '../test/program-host.js';
import { waitFor } from '../test/runs.js';
import { temporaryDirectory } from '../test/temporary-directory.js';

const program = fileURLToPath(new URL('cli.js', import.meta.url));

const run = (...argv: readonly string[]) => runCommand('split', argv);

/** Runs it as a process of its own; a failure is a result, not an exception. */
const start = (...argv: readonly string[]) => execa(process.execPath, [program, ...argv], { reject: false });

async function prepared(directory: string, examples = 100) {
  const data = join(directory, 'dataset.npz');
  await writeFile(data, await encodeDataset(numberedExamples(examples), numberedExamples(10)));
  return { data, savedir: join(directory, 'data') };
}

/** Starts a split into many shards and sends `signal` once the first is there. */
async function stopped(argv: readonly string[], signal: NodeJS.Signals) {
  const child = execa(process.execPath, [program, ...argv, '--log-format', 'json'], { reject: false });
  child.stderr.on('data', (chunk) => String(chunk).includes('"progress"') && child.kill(signal));
  return await child;
}

test('the last line of stdout is the result, and a second run skips', async (t) => {
  const { data, savedir } = await prepared(await temporaryDirectory(t));
  const argv = ['--data', data, '--clients=3', '--out', savedir];
  const first = await start(...argv);
  assert.equal(first.exitCode, 0, first.stderr);
  const { seconds, ...result } = JSON.parse(first.stdout.split('\n').at(-1) ?? '');
  assert.ok(seconds > 0);
  assert.deepEqual(result, { shards: 3, examples: 100, test: 10, savedir, skipped: false });
  assert.match(first.stderr, /3\/3 shards/);
  const second = await run(...argv);
  assert.equal(second.exitCode, 0);
  assert.match(second.stderr, /^Nothing to do: .* holds this split already, and its checksums hold\.$/m);
  assert.equal(JSON.parse(second.stdout).skipped, true);
});

test('the help names every option with its default', async () => {
  const { stdout, exitCode } = await run('--help');
  assert.equal(exitCode, 0);
  for (const option of ['--data', '--clients', '--out', '--partition', '--test-fraction', '--seed']) {
    assert.ok(stdout.includes(option), option);
  }
  assert.match(stdout, /default: 0\.1/);
});

test('the embedded digits are split by name', async (t) => {
  const directory = await temporaryDirectory(t);
  const argv = ['--data', 'digits', '--clients', '3', '--out', join(directory, 'data')];
  const env = { FEDBATCH_CACHE_DIR: join(directory, 'cache') };
  const { exitCode, stdout, stderr } = await execa(process.execPath, [program, ...argv], { env });
  assert.equal(exitCode, 0, stderr);
  const { shards, examples, test: held } = JSON.parse(stdout);
  assert.deepEqual([shards, examples, held], [3, 6000, 1000]);
});

test('labels and images of other types are taken with a note; what cannot be taken is refused with the line that mends it', async (t) => {
  const directory = await temporaryDirectory(t);
  const data = join(directory, 'dataset.npz');
  const savedir = join(directory, 'data');
  const argv = ['--data', data, '--clients', '2', '--out', savedir];
  const write = async (shape: readonly number[], images: Uint8Array | Int32Array) =>
    await writeFile(
      data,
      await encodeNpz([
        { name: 'x', shape, values: images },
        {
          name: 'y',
          shape: [20, 2],
          values: Float32Array.from({ length: 40 }, (_, at) => (at + (at >> 1)) & 1),
        },
      ]),
    );
  await write([20, 2, 2], new Int32Array(80).fill(255));
  const taken = await run(...argv);
  assert.equal(taken.exitCode, 0, taken.stderr);
  assert.match(taken.stderr, /^x is int32 from 255 to 255, taken as uint8$/m);
  assert.match(taken.stderr, /^y is one-hot \[20,2\], taken as labels from 0 to 1$/m);
  const labels = Int32Array.from({ length: 20 }, (_, at) => 1 + (at % 3));
  await writeShard(data, withParts(numberedExamples(20), { labels }));
  const fromOne = await run(...argv);
  assert.equal(fromOne.exitCode, 0, fromOne.stderr);
  assert.match(
    fromOne.stderr,
    /dataset\.npz: the labels begin at 1, .* To number the classes from 0: python3 -c /,
  );
  assert.equal((await readManifest(join(savedir, 'manifest.json'))).classes, 4);
  await writeShard(data, withParts(numberedExamples(20), { labels: new Int32Array(20) }));
  const alone = await run(...argv);
  assert.equal(alone.exitCode, 3);
  assert.match(alone.stderr, /dataset\.npz: expected labels of at least 2 classes, found label 0 alone\.$/m);
  await write([20, 3, 32, 32], new Uint8Array(20 * 3072));
  const refused = await run(...argv);
  assert.equal(refused.exitCode, 3);
  assert.match(
    refused.stderr,
    /^error: \S+: expected x to be images \[n,h,w,c\], found the shape \[20,3,32,32\], channels first\. To mend it: python3 -c '.* v\.transpose\(0, 2, 3, 1\) .*' \S+dataset\.npz \S+dataset-mended\.npz$/,
  );
  for (const [command, ...more] of [['init'], ['train', '--epochs', '1']] as const) {
    const trained = ['--data', data, '--model', 'mlp', '--out', join(directory, 'm.h5'), ...more];
    const { exitCode, stderr } = await runCommand(command, trained);
    assert.deepEqual([exitCode, /channels first\. To mend it: /.test(stderr)], [3, true], stderr);
  }
});

const usage: readonly (readonly [string, readonly string[], RegExp])[] = [
  ['no shards', ['--clients', '0'], /--clients <count>.*Expected a whole number of at least 1, found "0"/],
  ['a fraction of a shard', ['--clients', '1.5'], /found "1\.5"/],
  [
    'more shards than examples',
    ['--clients', '101'],
    /^error: Expected at most 100 clients for 100 training examples/m,
  ],
  ['an unknown scheme', ['--clients', '2', '--partition', 'fair'], /Allowed choices are iid, strided/],
  [
    'a test fraction of 1',
    ['--clients', '2', '--test-fraction', '1'],
    /a number from 0\.001 to 0\.9, found "1"/,
  ],
  ['no count', [], /Expected --clients, the number of shards: --partition iid needs it/],
  ['an unknown option', ['--clients', '2', '--shards', '2'], /unknown option '--shards'/],
];

for (const [name, argv, message] of usage) {
  test(`${name}: exit code 2 and one sentence`, async (t) => {
    const { data, savedir } = await prepared(await temporaryDirectory(t));
    const { exitCode, stdout, stderr } = await run('--data', data, '--out', savedir, ...argv);
    assert.equal(exitCode, 2, stderr);
    assert.match(stderr, message);
    assert.doesNotMatch(stderr, /\n\s+at /);
    assert.equal(stdout, '');
    await assert.rejects(readdir(savedir), /ENOENT/);
  });
}

const badData: readonly (readonly [string, Uint8Array | string | undefined, RegExp])[] = [
  ['a missing file', undefined, /dataset\.npz: expected a dataset .*, found no such file\.$/],
  ['an empty file', '', /expected an npz \(a zip archive of npy arrays\), found an empty file\.$/],
  ['a web page', '<html></html>', /found something that is not a zip\.$/],
  ['a cut-off zip', 'PK\x03\x04cut', /found a damaged or truncated zip\.$/],
];

for (const [name, content, message] of badData) {
  test(`${name}: exit code 3, one sentence, a stack trace only for --debug`, async (t) => {
    const directory = await temporaryDirectory(t);
    const argv = [
      '--data',
      join(directory, 'dataset.npz'),
      '--clients',
      '2',
      '--out',
      join(directory, 'data'),
    ];
    if (content !== undefined) await writeFile(join(directory, 'dataset.npz'), content, 'latin1');
    const { exitCode, stdout, stderr } = await run(...argv);
    assert.equal(exitCode, 3, stderr);
    assert.equal(stderr.split('\n').length, 1, stderr);
    assert.match(stderr, message);
    assert.equal(stdout, '');
    await assert.rejects(readdir(join(directory, 'data')), /ENOENT/);
    assert.match((await run(...argv, '--debug')).stderr, /\n\s+at /);
  });
}

test('a directory that cannot be made is one sentence, also where Node itself would hang', async (t) => {
  const { data, savedir } = await prepared(await temporaryDirectory(t));
  await writeFile(savedir, 'a file');
  for (const target of [savedir, join(savedir, 'below'), '/proc/fedbatch/data']) {
    const { exitCode, stderr } = await run('--data', data, '--clients', '2', '--out', target);
    assert.equal(exitCode, 3, stderr);
    assert.match(stderr, /^error: .*(could not be (written|listed)): .*\.$/);
    assert.equal(stderr.split('\n').length, 1, stderr);
  }
  assert.equal(await readFile(savedir, 'utf8'), 'a file');
});

test('a full disk: exit code 3, one sentence, nothing left', async (t) => {
  const directory = await temporaryDirectory(t);
  const { data } = await prepared(directory, 100_000);
  const disk = join(directory, 'disk');
  await mkdir(disk);
  const mounted = await execa('mount', ['-t', 'tmpfs', '-o', 'size=400k', 'tmpfs', disk], { reject: false });
  if (mounted.failed) return t.skip(`tmpfs cannot be mounted here: ${mounted.stderr ?? mounted.message}`);
  try {
    const { exitCode, stderr } = await start('--data', data, '--clients', '4', '--out', join(disk, 'data'));
    assert.equal(exitCode, 3, stderr);
    assert.match(stderr, /^error: .*\d\.npz: could not be written: the disk is full \(ENOSPC\)\.$/m);
    assert.deepEqual(await readdir(join(disk, 'data')), []);
  } finally {
    await execa('umount', [disk]);
  }
});

test('an interrupt ends it with 130 and leaves no shards', async (t) => {
  const { data, savedir } = await prepared(await temporaryDirectory(t), 2000);
  const { exitCode, stderr } = await stopped(
    ['--data', data, '--clients', '2000', '--out', savedir],
    'SIGINT',
  );
  assert.equal(exitCode, 130, stderr);
  assert.deepEqual(await readdir(savedir), []);
});

test('a kill in the middle of a second split leaves no manifest, and the next run makes all whole', async (t) => {
  const { data, savedir } = await prepared(await temporaryDirectory(t), 2000);
  assert.equal((await run('--data', data, '--clients', '3', '--out', savedir)).exitCode, 0);
  const argv = ['--data', data, '--clients', '2000', '--out', savedir];
  assert.equal((await stopped(argv, 'SIGKILL')).signal, 'SIGKILL');
  const left = await readdir(savedir);
  assert.ok(left.includes('0.npz') && !left.includes('manifest.json'), left.join(' '));
  const { exitCode } = await run('--data', data, '--clients', '3', '--out', savedir);
  assert.equal(exitCode, 0);
  assert.deepEqual((await readdir(savedir)).sort(), ['0.npz', '1.npz', '2.npz', 'manifest.json', 'test.npz']);
});

test('a directory with files of something else: exit code 2, and they stay', async (t) => {
  const { data, savedir } = await prepared(await temporaryDirectory(t));
  await mkdir(savedir);
  for (const name of ['2024.npz', 'manifest.json', 'test.npz']) await writeFile(join(savedir, name), 'mine');
  const { exitCode, stderr, stdout } = await run('--data', data, '--clients', '2', '--out', savedir);
  assert.equal(exitCode, 2);
  assert.equal(stdout, '');
  assert.match(
    stderr,
    /^error: .*2024\.npz was not made by a split .*: choose an empty or new directory .*\.$/,
  );
  assert.deepEqual((await readdir(savedir)).sort(), ['2024.npz', 'manifest.json', 'test.npz']);
  assert.equal(await readFile(join(savedir, 'test.npz'), 'utf8'), 'mine');
});

/** Starts a split that halts before its first operation on `path`. */
function halted(t: TestContext, argv: readonly string[], path: string) {
  const env = haltedAt({ program: 'splitter/cli.js', path, before: 1 });
  const child = execa(process.execPath, [program, ...argv], { reject: false, env });
  t.after(() => child.kill('SIGKILL'));
  return child;
}

for (const [when, path] of [
  ['with a shard ready to appear', '/1\\.npz$'],
  ['before it makes room', '/\\.split-in-progress$'],
] as const) {
  test(`two splits at once, one halted ${when}: a whole split of one of them, and the other one says so`, async (t) => {
    const { data, savedir } = await prepared(await temporaryDirectory(t));
    const argv = (clients: number) => ['--data', data, '--clients', `${clients}`, '--out', savedir];
    const contents = async () => {
      const names = (await readdir(savedir)).sort();
      return await Promise.all(
        names.map(async (name) => [name, await readFile(join(savedir, name))] as const),
      );
    };
    const first = halted(t, argv(3), path);
    await waitFor(() => isStopped(first.pid ?? 0));
    assert.equal((await run(...argv(3))).exitCode, 0);
    const whole = await contents();
    process.kill(first.pid ?? 0, 'SIGCONT');
    const { exitCode, stdout, stderr } = await first;
    if (path.includes('split')) {
      // It finds its work done.
      assert.equal(exitCode, 0, stderr);
      assert.equal((JSON.parse(stdout) as { readonly skipped: boolean }).skipped, true);
    } else {
      assert.equal(stdout, '');
      assert.equal(exitCode, 5, stderr);
      assert.match(
        stderr,
        /^error: .*data: another split has begun there since, and this one writes nothing more\.$/m,
      );
    }
    assert.deepEqual(await contents(), whole);
    assert.deepEqual(
      whole.map(([name]) => name),
      ['0.npz', '1.npz', '2.npz', 'manifest.json', 'test.npz'],
    );
  });
}

test('a split of other settings that is halted mixes nothing into the one that came after', async (t) => {
  const { data, savedir } = await prepared(await temporaryDirectory(t));
  const argv = (clients: number) => ['--data', data, '--clients', `${clients}`, '--out', savedir];
  const first = halted(t, argv(4), '/1\\.npz$');
  await waitFor(() => isStopped(first.pid ?? 0));
  assert.equal((await run(...argv(3))).exitCode, 0);
  process.kill(first.pid ?? 0, 'SIGCONT');
  assert.equal((await first).exitCode, 5);
  assert.deepEqual((await readdir(savedir)).sort(), ['0.npz', '1.npz', '2.npz', 'manifest.json', 'test.npz']);
  const { stdout } = await run(...argv(3));
  assert.equal((JSON.parse(stdout) as { readonly skipped: boolean }).skipped, true, 'its checksums hold');
});

test('60,000 images of MNIST are split', async (t) => {
  const data = findMnist();
  if (data === undefined) return t.skip('no MNIST: set FEDBATCH_MNIST to the path of mnist.npz');
  const savedir = join(await temporaryDirectory(t), 'data');
  const startedAt = performance.now();
  const { stdout, exitCode } = await run('--data', data, '--clients', '3', '--out', savedir);
  t.diagnostic(`${((performance.now() - startedAt) / 1000).toFixed(2)} s`);
  assert.equal(exitCode, 0);
  const { shards, examples, test: held } = JSON.parse(stdout);
  assert.deepEqual([shards, examples, held], [3, 60_000, 10_000]);
});
