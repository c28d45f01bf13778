/** The lock of a volume: one holder, the dead give way, the living are named. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { execa } from 'execa';
import { takeLock } from './lock-file.js';

let directory = '';
let path = '';
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'fedbatch-'));
  path = join(directory, '.lock');
});
afterEach(() => rm(directory, { recursive: true, force: true }));

/** The number of a process that has just ended. */
async function deadProcess(): Promise<number> {
  const child = execa(process.execPath, ['--eval', '0']);
  const { pid = 0 } = child;
  await child;
  return pid;
}

test('a second taker is refused and told who holds it; after the release the lock is free', async () => {
  const lock = await takeLock(path);
  await assert.rejects(takeLock(path), new RegExp(`in use by another run \\(process ${process.pid}, since `));
  lock.release();
  assert.equal(existsSync(path), false);
  (await takeLock(path)).release();
});

test('the lock of a dead process is taken over', async () => {
  const pid = await deadProcess();
  await writeFile(path, JSON.stringify({ pid, host: hostname(), since: 'yesterday' }));
  const lock = await takeLock(path);
  assert.match(await readFile(path, 'utf8'), new RegExp(`"pid":${process.pid},`));
  lock.release();
});

test('so is that of a process whose number belongs to another one now', async () => {
  await writeFile(
    path,
    JSON.stringify({ pid: process.pid, host: hostname(), processStart: '1', since: 'before' }),
  );
  (await takeLock(path)).release();
});

test('so is one that is no lock of ours', async () => {
  await writeFile(path, '{"pid":');
  (await takeLock(path)).release();
});

test('a lock of another host stays: nobody here can tell whether that process lives', async () => {
  await writeFile(path, JSON.stringify({ pid: 1, host: 'elsewhere', since: 'noon' }));
  await assert.rejects(
    takeLock(path),
    /process 1 on host elsewhere, since noon\): if that process is no more, delete/,
  );
});

test('of many who find the same stale lock, one gets it', async () => {
  const pid = await deadProcess();
  for (let attempt = 0; attempt < 20; attempt++) {
    await writeFile(path, JSON.stringify({ pid, host: hostname(), since: 'yesterday' }));
    const taken = await Promise.allSettled(Array.from({ length: 8 }, () => takeLock(path)));
    const locks = taken.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
    assert.equal(locks.length, 1);
    locks[0]?.release();
  }
  assert.deepEqual(await readdir(directory), []);
});
