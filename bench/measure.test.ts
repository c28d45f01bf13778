import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryDirectory } from '../test/temporary-directory.js';
import { openJournal, PausedError } from './journal.js';
import { interleave, sampleProcess } from './measure.js';

const MEGABYTE = 2 ** 20;
/** Holds 150 MB for three seconds, so that sums taken now and then see it. */
const HOLDER = `const held = Buffer.alloc(${150 * MEGABYTE}, 1); setTimeout(() => held.length, 3000);`;
const PARENT = `require('node:child_process').spawnSync(process.execPath, ['-e', ${JSON.stringify(HOLDER)}]);`;

test('the memory of what a process starts is seen, apart from its own', {
  skip: existsSync('/proc/self/smaps_rollup') ? false : 'no /proc/self/smaps_rollup',
}, async () => {
  const { peakBytes, childPeakBytes, treePeakBytes, seconds } = await sampleProcess(process.execPath, [
    '-e',
    PARENT,
  ]);
  assert.ok(seconds >= 3);
  assert.ok(peakBytes > 10 * MEGABYTE && peakBytes < 150 * MEGABYTE, `own peak ${peakBytes}`);
  assert.ok(childPeakBytes > 150 * MEGABYTE, `child's peak ${childPeakBytes}`);
  assert.ok(treePeakBytes > 150 * MEGABYTE, `sum ${treePeakBytes}`);
  assert.ok(treePeakBytes < peakBytes + childPeakBytes, 'what both share counts once');
});

test('a process that fails is an error with its last words', async () => {
  await assert.rejects(
    sampleProcess(process.execPath, ['-e', 'console.error("no such thing"); process.exitCode = 3']),
    /ended with 3: no such thing/,
  );
});

test('sides run in turn, and an interrupted measurement goes on where it stopped', async (t) => {
  const path = join(await temporaryDirectory(t), 'cache', 'journal.json');
  const ran: string[] = [];
  const sides = (failing?: string) =>
    Object.fromEntries(
      ['a', 'b'].map((side) => [
        side,
        async () => {
          ran.push(side);
          if (side === failing && ran.length > 2) throw new Error('power cut');
          return ran.length;
        },
      ]),
    );
  const measure = async (identity: string, failing?: string) =>
    interleave({ rounds: 2, journal: await openJournal(path, { identity }), name: 'x' }, sides(failing));

  await assert.rejects(measure('1', 'b'), /power cut/);
  assert.deepEqual(ran, ['a', 'b', 'a', 'b']);
  assert.deepEqual(await measure('1'), { a: [1, 3], b: [2, 5] });
  assert.equal(ran.length, 5, 'only what was missing ran again');
  const other = await measure('2');
  assert.deepEqual(other, { a: [6, 8], b: [7, 9] }, 'of other settings nothing counts');
});

test('a journal that is cleared forgets', async (t) => {
  const path = join(await temporaryDirectory(t), 'journal.json');
  const journal = await openJournal(path, { identity: '1' });
  await journal.once('n', async () => 1);
  await journal.clear();
  assert.equal(await (await openJournal(path, { identity: '1' })).once('n', async () => 2), 2);
});

test('without time left a journal tells what it has, and begins nothing', async (t) => {
  const path = join(await temporaryDirectory(t), 'journal.json');
  await (await openJournal(path, { identity: '1' })).once('done', async () => 1);
  const late = await openJournal(path, { identity: '1', until: performance.now() });
  assert.equal(await late.once('done', async () => 2), 1);
  await assert.rejects(
    late.once('open', async () => assert.fail('it was begun')),
    (error) => error instanceof PausedError && /no time left for open/.test(error.message),
  );
});
