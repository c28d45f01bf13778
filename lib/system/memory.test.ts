import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { releaseMemory } from './memory.js';

test('large arrays are freed, and what is small, shared or a part of something stays', async () => {
  const [large, small, whole] = [new Float32Array(1 << 14), new Float32Array(4), new Uint8Array(1 << 16)];
  const shared = new Uint8Array(new SharedArrayBuffer(1 << 16));
  releaseMemory(large, small, whole.subarray(1), shared);
  assert.deepEqual([large.length, small.length, whole.length, shared.length], [0, 4, 1 << 16, 1 << 16]);
  // The other end is closed with the next turn of the event loop.
  await setTimeout(1);
  const before = process.memoryUsage().arrayBuffers;
  for (let at = 0; at < 8; at++) releaseMemory(new Uint8Array(1 << 24));
  assert.ok(process.memoryUsage().arrayBuffers - before < 1 << 24);
});
