import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { createCodecs } from './codecs.js';

const threads = (): number => readdirSync('/proc/self/task').length;

test('the thread of large bodies ends when nobody asks, and another one begins', {
  skip: process.platform !== 'linux' && 'a process has a list of its threads on Linux only',
}, async () => {
  const codecs = createCodecs({ idleMs: 100 });
  const row = new Array(784).fill(0.5);
  const read = async () => {
    const body = Buffer.from(JSON.stringify({ instances: new Array(100).fill(row) }));
    const { tensors } = await codecs.run('readPredictBody', { body }, body.length);
    return tensors;
  };
  const without = threads();
  const first = await read();
  assert.equal(threads(), without + 1);
  while (threads() > without) await delay(10);
  assert.deepEqual(await read(), first);
});
