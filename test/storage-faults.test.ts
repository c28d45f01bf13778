/** Runs on disks that refuse: read-only, without room for another file, of another user, or deleted. No refusal is a bug. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { execa } from 'execa';
import { writeTinyDataset } from './datasets.js';
import type { Task } from './program-host.js';
import { programPath } from './programs.js';
import { endRun, finishRun } from './runs.js';
import { sharedDirectory } from './temporary-directory.js';

const directory = sharedDirectory();
const data = await writeTinyDataset(directory, 60);
const SETTINGS = [
  ...['--data', data, '--model', 'mlp', '--batch', '20', '--threads', '1'],
  ...['--rounds', '1', '--clients', '1', '--epochs', '1'],
];

/** Fails as a program does where the disk refuses: exit code 3, and no word of a bug. */
async function isRefused(volume: string, reason: RegExp): Promise<void> {
  const { exitCode, stdout, stderr } = await endRun(volume, SETTINGS);
  assert.match(stderr, reason);
  assert.doesNotMatch(stderr, /this is a bug|Unknown system error/);
  assert.deepEqual([exitCode, stdout], [3, '']);
}

/** A file system of its own; undefined where this process may not mount one. */
async function mounted(t: TestContext, options: string): Promise<string | undefined> {
  const place = await mkdtemp(join(directory, 'disk-'));
  const { failed } = await execa('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', place], { reject: false });
  if (failed) return undefined;
  t.after(() => execa('umount', ['--lazy', place]));
  return place;
}

const remount = (place: string, options: string) => execa('mount', ['-o', `remount,${options}`, place]);

test('a read-only disk, also under a run that is finished', async (t) => {
  const place = await mounted(t, 'size=16m');
  if (place === undefined) return t.skip('needs the right to mount');
  const volume = join(place, 'run');
  const { sha256 } = await finishRun(volume, SETTINGS);
  await remount(place, 'ro');
  await isRefused(
    volume,
    /error: \S+\.lock: could not be written: the file system is read-only \(EROFS\)\.$/,
  );
  await isRefused(join(place, 'other'), /error: \S+: could not be written: the file system is read-only/);
  await remount(place, 'rw');
  assert.equal((await finishRun(volume, SETTINGS)).sha256, sha256);
});

test('a disk that takes no more files, whichever is the first; with room the run goes on', async (t) => {
  const place = await mounted(t, 'size=16m,nr_inodes=2');
  if (place === undefined) return t.skip('needs the right to mount');
  const volume = join(place, 'run');
  for (const files of [2, 3, 4, 5, 8, 10, 12]) {
    await remount(place, `nr_inodes=${files}`);
    await isRefused(volume, /the disk is full \(ENOSPC\)/);
  }
  await remount(place, 'nr_inodes=100');
  const { sha256 } = await finishRun(volume, SETTINGS);
  assert.equal((await finishRun(join(directory, 'undisturbed'), SETTINGS)).sha256, sha256);
  const hidden = readdirSync(volume, { recursive: true }).filter((name) => /(^|\/)\./.test(`${name}`));
  assert.deepEqual(hidden, [], 'nothing is left over');
});

test('a folder of another user', async (t) => {
  if (process.getuid?.() !== 0) return t.skip('needs the right to be somebody else');
  const volume = join(directory, 'root-only');
  await mkdir(volume);
  await chmod(volume, 0o755);
  await chmod(directory, 0o755);
  const { exitCode, stderr } = await execa(
    process.execPath,
    [programPath('cli'), 'run', '--volume', volume, ...SETTINGS],
    { reject: false, uid: 65_534, gid: 65_534, cwd: directory },
  );
  if (/Cannot find module|permission denied, open .*package\.json/.test(stderr))
    return t.skip('nobody else may read this checkout');
  assert.match(stderr, /error: \S+\.lock: could not be written: permission denied \(EACCES\)\.$/);
  assert.equal(exitCode, 3);
});

test('a name that is too long, links that lead nowhere', async () => {
  await isRefused(join(directory, 'x'.repeat(256)), /too long for the file system \(ENAMETOOLONG\)/);
  const nowhere = join(directory, 'no', 'where');
  const linked = join(directory, 'linked');
  await symlink(nowhere, linked);
  await isRefused(linked, /could not be written: its directory does not exist and cannot be made \(ENOENT\)/);
  const volume = join(directory, 'with-links');
  await finishRun(volume, SETTINGS);
  await symlink(nowhere, join(volume, '.lock'));
  await isRefused(
    volume,
    /\.lock: expected a lock file, found a symbolic link that leads nowhere: remove it\.$/,
  );
  await rm(join(volume, '.lock'));
  await rm(join(volume, 'metrics.jsonl'));
  await symlink(nowhere, join(volume, 'metrics.jsonl'));
  await isRefused(volume, /metrics\.jsonl: could not be written: its directory does not exist/);
  assert.equal(existsSync(join(volume, '.lock')), false);
});

test('a volume that is deleted under its run: said so, and nothing is left that is in the way of the next', async () => {
  const volume = join(directory, 'deleted');
  const deleting = async ({ id }: Task) => {
    await rm(volume, { recursive: true });
    // What a trainer at work still writes.
    const update = join(volume, 'rounds', '0001', 'updates', '0.h5');
    await mkdir(dirname(update), { recursive: true });
    await writeFile(update, 'half an update');
    return { id, exitCode: 3, stdout: [], stderr: ['error: no shard'] };
  };
  const { exitCode, stderr } = await endRun(volume, SETTINGS, deleting);
  assert.match(stderr, /error: \S*deleted: was deleted or moved away while the run went on\.$/);
  assert.equal(exitCode, 3);
  assert.equal(existsSync(volume), false);
  await finishRun(volume, SETTINGS);
});

test('a full disk under the output: the result is lost, and said to be; messages are not missed', async (t) => {
  if (!existsSync('/dev/full')) return t.skip('needs /dev/full');
  const shell = (redirection: string) =>
    execa('sh', ['-c', `"$0" "$1" ${redirection}`, process.execPath, programPath('cli')], { reject: false });
  const lost = await shell('--version > /dev/full');
  assert.deepEqual(
    [lost.exitCode, lost.stderr],
    [3, 'error: The output could not be written: the disk is full (ENOSPC).'],
  );
  const untold = await shell('aggregate --dir nowhere --out none.h5 2> /dev/full');
  assert.equal(untold.exitCode, 3, 'that of the missing folder');
});
