import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import type { Worker } from 'node:worker_threads';
import { createCodecs } from './codecs.js';

test('the thread of large bodies ends when nobody asks, and another one begins', async () => {
  const codecs = createCodecs({ idleMs: 100 });
  const row = new Array(784).fill(0.5);
  const read = async () => {
    const began = once(process, 'worker') as Promise<[Worker]>;
    const body = Buffer.from(JSON.stringify({ instances: new Array(100).fill(row) }));
    const { tensors } = await codecs.run('readPredictBody', { body }, body.length);
    const [worker] = await began;
    // The test waits for it; a server does not.
    worker.ref();
    return { tensors, exit: once(worker, 'exit') };
  };
  const first = await read();
  await first.exit;
  const second = await read();
  assert.deepEqual(second.tensors, first.tensors);
  await second.exit;
});
