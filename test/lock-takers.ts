/** Processes that take a lock at once, and are killed at it. */
import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { readdir, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import type { Request } from './programs/lock-taker.js';
import { temporaryDirectory } from './temporary-directory.js';

/** The number of a process that has just ended. */
export async function deadProcess(): Promise<number> {
  const child = execa(process.execPath, ['--eval', '0']);
  const { pid = 0 } = child;
  await child;
  return pid;
}

/** A process that takes the lock as it is told. */
export async function taker(t: TestContext, path: string, { killBefore = 0, links = 'links' } = {}) {
  const program = fileURLToPath(new URL('./programs/lock-taker.js', import.meta.url));
  const child = fork(program, [path, String(killBefore), links]);
  const ended = once(child, 'exit');
  t.after(() => child.kill('SIGKILL'));
  const answer = async (): Promise<number | undefined> => {
    const [value] = await Promise.race([once(child, 'message'), ended.then(() => [undefined])]);
    return value as number | undefined;
  };
  await answer();
  const ask = (request: Request) => {
    child.send(request, () => undefined);
    return answer();
  };
  /** Ends it; all answers must have come. */
  const end = async () => {
    if (child.connected) child.disconnect();
    await ended;
  };
  return { ask, end, tell: (request: Request) => child.send(request) };
}

/** Asks `takers` for `each` attempts at once of the stale lock that lies there; returns how many got it, and frees it. */
async function race(takers: readonly Awaited<ReturnType<typeof taker>>[], each: number): Promise<number> {
  const held = await Promise.all(takers.map(({ ask }) => ask({ take: each })));
  await Promise.all(takers.map(({ ask }) => ask('release')));
  return held.reduce<number>((sum, count) => sum + (count ?? 0), 0);
}

/** Defines the tests of many takers, on a file system with or without hard links. */
export function testTakers(links: 'links' | 'no-links'): void {
  test(`3 and 12 takers at once of a dead process's lock: always one holder (${links})`, async (t) => {
    const path = join(await temporaryDirectory(t), '.lock');
    const stale = JSON.stringify({ pid: await deadProcess(), host: hostname(), since: 'yesterday' });
    const takers = await Promise.all([1, 2, 3].map(() => taker(t, path, { links })));
    for (let round = 0; round < 40; round++) {
      await writeFile(path, stale);
      assert.equal(await race(takers, round % 2 === 0 ? 1 : 4), 1, `round ${round}`);
      assert.deepEqual(await readdir(dirname(path)), []);
    }
    await Promise.all(takers.map(({ end }) => end()));
  });

  test(`a taker that is killed at any operation is succeeded by one (${links})`, async (t) => {
    const path = join(await temporaryDirectory(t), '.lock');
    const stale = JSON.stringify({ pid: await deadProcess(), host: hostname(), since: 'yesterday' });
    const takers = await Promise.all([1, 2].map(() => taker(t, path, { links })));
    let killed = 0;
    for (let isKilled = true; isKilled; killed++) {
      await writeFile(path, stale);
      const victim = await taker(t, path, { killBefore: killed + 1, links });
      const took = await victim.ask({ take: 1 });
      isKilled = took === undefined || (await victim.ask('release')) === undefined;
      await victim.end();
      // Nobody is left to remove what the last one left after its release, but the next holder.
      assert.equal(await race(takers, 2), 1, `killed before operation ${killed + 1}`);
      assert.deepEqual(await readdir(dirname(path)), []);
    }
    assert.ok(killed > 8, `${killed} operations`);
    await Promise.all(takers.map(({ end }) => end()));
  });
}
