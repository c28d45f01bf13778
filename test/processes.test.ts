import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { execa } from 'execa';
import { isGroupStopped, memoryMb, trend } from './processes.js';
import { temporaryDirectory } from './temporary-directory.js';

test('a trend is what lasts, whatever single readings say', () => {
  assert.equal(trend([1, 3, 5, 7]), 2);
  assert.equal(trend([5, 5, 90, 5, 5]), 0);
  assert.equal(trend([0, 40, 40, 40, 40, 40]), 0, 'a step up that stays is no leak');
  assert.ok(trend([0, 32, 20, 96, 128, 160]) > 25);
});

test('memory that is held is seen, and memory that was given back is not', async () => {
  const before = await memoryMb();
  let held: Buffer[] = Array.from({ length: 8 }, () => Buffer.alloc(8 * 2 ** 20, 1));
  const during = await memoryMb();
  assert.ok(during - before > 50, `${during - before} MB`);
  assert.equal(held.length, 8);
  held = [];
  assert.ok((await memoryMb()) < during - 50);
});

test('a process group has been halted when none of its threads changes a file any more', async (t) => {
  const directory = await temporaryDirectory(t);
  const renaming = `
    const fs = require('node:fs');
    const { isMainThread, threadId, Worker } = require('node:worker_threads');
    if (isMainThread) for (let each = 0; each < 3; each++) new Worker(process.argv[1], { argv: process.argv.slice(2) });
    const base = process.argv[2] + '/' + threadId + '-';
    // It ends by itself, should nobody end it.
    for (let [at, end] = [0, Date.now() + 30_000]; !isMainThread && Date.now() < end; at++) {
      fs.writeFileSync(base + at, '');
      fs.renameSync(base + at, base + 'done');
    }`;
  const script = `${directory}.cjs`;
  await writeFile(script, renaming);
  t.after(() => rm(script));
  const child = execa(process.execPath, [script, directory], { detached: true, reject: false });
  const { pid = 0 } = child;
  try {
    while (readdirSync(directory).filter((name) => name.endsWith('done')).length < 3) await delay(5);
    assert.ok(!isGroupStopped(pid));
    for (let round = 0; round < 30; round++) {
      process.kill(-pid, 'SIGSTOP');
      while (!isGroupStopped(pid)) await delay(1);
      const seen = readdirSync(directory).sort();
      await delay(2);
      assert.deepEqual(readdirSync(directory).sort(), seen);
      process.kill(-pid, 'SIGCONT');
    }
  } finally {
    process.kill(-pid, 'SIGKILL');
    await child;
  }
});
