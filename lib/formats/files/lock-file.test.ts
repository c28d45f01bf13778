/** The lock of a volume: one holder, the dead give way, the living are named. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { deadProcess, taker, testTakers } from '../../../test/lock-takers.js';
import { takeLock } from './lock-file.js';
import { currentHolder } from './lock-holder.js';

let directory = '';
let path = '';
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'fedbatch-'));
  path = join(directory, '.lock');
});
afterEach(() => rm(directory, { recursive: true, force: true }));

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
  await assert.rejects(takeLock(path), new RegExp(`in use by another run \\(process ${process.pid}, since `));
  lock.release();
  assert.deepEqual(await readdir(directory), []);
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

test('so are locks that losses of power have cut off alike, one after the other', {
  timeout: 60_000,
}, async () => {
  for (const text of ['', '{"pid']) {
    // Each holder is killed with its machine, which loses the end of what was not synced.
    const holders = [];
    for (let times = 0; times < 4; times++) {
      holders.push(await takeLock(path));
      for (const name of await readdir(directory)) await writeFile(join(directory, name), text);
    }
    assert.equal((await readdir(directory)).length, holders.length);
    const lock = await takeLock(path);
    await lock.requireHeld();
    for (const holder of holders) await assert.rejects(holder.requireHeld(), /no longer held/);
    lock.release();
    assert.deepEqual(await readdir(directory), []);
  }
});

test('a lock of another host stays: nobody here can tell whether that process lives', async () => {
  await writeFile(path, JSON.stringify({ pid: 1, host: 'elsewhere', since: 'noon' }));
  await assert.rejects(
    takeLock(path),
    /process 1 on host elsewhere, since noon\): if that process is no more, delete/,
  );
});

for (const text of ['null', '[]', '17', '{}', '{"pid":-1,"host":"x"}', '{"pid":"1"}', '', '\0\0\0\0']) {
  test(`nor does ${JSON.stringify(text)} hold it`, async () => {
    await writeFile(path, text);
    (await takeLock(path)).release();
    assert.deepEqual(await readdir(directory), []);
  });
}

test('a directory, a file in place of a directory: one sentence each', async () => {
  await mkdir(path);
  await writeFile(join(path, 'mine'), '');
  await assert.rejects(takeLock(path), /\.lock: expected a lock file, found a directory: move it away\.$/);
  assert.deepEqual(await readdir(path), ['mine']);
  await assert.rejects(takeLock(join(path, 'mine', '.lock')), { name: 'StorageError' });
});

/** This process as it would be known on the machine or in the container that `change` makes of this one. */
async function heldBy(change: object): Promise<string> {
  const { pid, host, ...rest } = JSON.parse(JSON.stringify(currentHolder())) as Record<string, unknown>;
  return JSON.stringify({ pid, host, ...rest, ...change });
}

test('in another container of this host a process of any number may live; on this machine, none of an earlier boot', async (t) => {
  if (!existsSync('/proc/self/ns/pid') || !existsSync('/etc/machine-id')) return t.skip('Linux tells more');
  const pid = await deadProcess();
  for (const elsewhere of [
    { pidSpace: 'pid:[1]' },
    { machine: 'another' },
    { machine: undefined, boot: 'b' },
  ]) {
    await writeFile(path, await heldBy({ pid, processStart: '1', ...elsewhere }));
    await assert.rejects(
      takeLock(path),
      /, in another container, since .*delete .*\.lock and run the command/,
    );
  }
  await writeFile(path, await heldBy({ boot: 'an earlier one' }));
  (await takeLock(path)).release();
});

test('whoever lost its lock, since a user deleted it, does not release that of the next', async () => {
  const lost = await takeLock(path);
  await rm(path);
  const lock = await takeLock(path);
  lost.release();
  assert.equal(existsSync(path), true);
  lock.release();
  assert.deepEqual(await readdir(directory), []);
});

test('a holder knows that it lost its lock: a user deleted it, another one has it, or took this process for dead', async () => {
  const lock = await takeLock(path);
  await lock.requireHeld();
  const own = await readFile(path, 'utf8');
  const successor = `${path}-after-${createHash('sha256').update(own).digest('hex').slice(0, 32)}`;
  const lost = { name: 'UsageError', message: /is no longer held by this run: its lock .*lock was removed/ };
  await writeFile(successor, await heldBy({}));
  await assert.rejects(lock.requireHeld(), lost);
  await rm(successor);
  await rm(path);
  await assert.rejects(lock.requireHeld(), lost);
  const next = await takeLock(path);
  await assert.rejects(lock.requireHeld(), lost);
  await next.requireHeld();
  next.release();
  await writeFile(path, JSON.stringify({ pid: await deadProcess(), host: hostname(), since: 'yesterday' }));
  const heir = await takeLock(path);
  await heir.requireHeld();
  heir.release();
});

testTakers('links');

test('takers that come, go and are killed at their work are never two inside', async (t) => {
  const takers = await Promise.all([1, 2, 3].map(() => taker(t, path)));
  const times = takers.map(({ ask }) => ask('contend'));
  for (const killBefore of [20, 31, 45, 54]) {
    const victim = await taker(t, path, { killBefore });
    assert.equal(await victim.ask('contend'), undefined);
    await victim.end();
  }
  for (const { tell } of takers) tell('stop');
  // One that met another inside has ended with an error, and without an answer.
  for (const count of await Promise.all(times)) assert.ok(count !== undefined && count > 0);
  await Promise.all(takers.map(({ end }) => end()));
});
