/** The `fedbatch` program: finding commands, explaining itself, loading no more than it needs. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { execa } from 'execa';
import { writeTinyDataset } from './datasets.js';
import { projectRoot } from './sources.js';

const program = join(projectRoot, 'dist', 'cli.js');
const fedbatch = (...argv: readonly string[]) =>
  execa(process.execPath, [program, ...argv], { cwd: directory, reject: false });

let directory = '';
let data = '';
before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'fedbatch-'));
  data = await writeTinyDataset(directory);
});
after(() => rm(directory, { recursive: true, force: true }));

test('alone it explains itself, as a usage error; asked for help, it is none', async () => {
  const alone = await fedbatch();
  assert.equal(alone.exitCode, 2);
  assert.match(alone.stderr, /^Usage: npx fedbatch/);
  const help = await fedbatch('--help');
  assert.equal(help.exitCode, 0);
  assert.match(help.stdout, /^ {2}split +split a dataset into one shard per client$/m);
  assert.match(help.stdout, /^ {2}split +npx fedbatch split --data mnist\.npz --clients 3 --out data$/m);
});

test('it knows its version, as a whole and in every command', async () => {
  assert.match((await fedbatch('--version')).stdout, /^\d+\.\d+\.\d+$/);
  assert.equal((await fedbatch('split', '--version')).stdout, (await fedbatch('--version')).stdout);
});

test('a misspelt command is a usage error with a suggestion', async () => {
  const { exitCode, stderr } = await fedbatch('agregate');
  assert.equal(exitCode, 2);
  assert.match(stderr, /unknown command 'agregate'\n\(Did you mean aggregate\?\)/);
});

test('help <command> is <command> --help', async () => {
  assert.equal((await fedbatch('help', 'run')).stdout, (await fedbatch('run', '--help')).stdout);
});

test('flags take - or _, and common options may stand before the command', async () => {
  const { exitCode, stdout, stderr } = await fedbatch(
    ...['--log_format', 'json', 'split', '--data', data, '--clients=2', '--out', 'shards'],
  );
  assert.equal(exitCode, 0, stderr);
  assert.match(stdout, /"shards":2/);
  for (const line of stderr.split('\n')) assert.match(line, /^\{"level":/);
});

test('a stack trace is shown only on request', async () => {
  const wrong = ['split', '--data', 'nowhere.npz', '--clients', '2', '--out', 'x'];
  const quiet = await fedbatch(...wrong);
  assert.equal(quiet.exitCode, 3);
  assert.equal(quiet.stderr.split('\n').length, 1, quiet.stderr);
  assert.match((await fedbatch(...wrong, '--debug')).stderr, /\n {4}at /);
});

test('a program loads neither the web server nor the engine when it splits, nor to show how it is used', async () => {
  const spy = join(directory, 'spy.cjs');
  await writeFile(spy, `process.on('exit', () => console.error(Object.keys(require.cache).join('\\n')));`);
  const loaded = async (...argv: readonly string[]) =>
    (await execa(process.execPath, ['--require', spy, program, ...argv], { cwd: directory, reject: false }))
      .stderr;
  const split = await loaded('split', '--data', data, '--clients', '2', '--out', 'spied');
  assert.match(split, /node_modules\/commander\//, 'the spy sees what is loaded');
  const help = await loaded('serve', '--help');
  for (const seen of [split, help])
    assert.doesNotMatch(seen, /node_modules\/(express|onnxruntime-node|sharp)\//);
  const serving = await loaded('serve', '--model', 'absent.h5');
  assert.match(serving, /node_modules\/express\//, 'the spy would see the server');
});

test('when the reader of its output goes away, it ends without a word', async () => {
  const child = spawn(process.execPath, [program, 'run', '--help'], { stdio: ['ignore', 'pipe', 'pipe'] });
  child.stdout.destroy();
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => {
    said += chunk;
  });
  await once(child, 'close');
  assert.equal(said, '');
});
