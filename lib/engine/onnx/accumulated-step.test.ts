/** How a batch that is too large to run at once is divided; what comes of its parts stands in the slow test. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { partSize } from './accumulated-step.js';

test('on a card parts are equal where the batch divides so; the processor takes as many as it may', () => {
  // The CNN of 28 x 28 images: 351 at once.
  assert.equal(partSize(1000, 351, 'cuda'), 250);
  assert.equal(partSize(1053, 351, 'cuda'), 351);
  assert.equal(partSize(1000, 351, 'cpu'), 351);
  assert.equal(partSize(100, 351, 'cuda'), 100);
  assert.equal(partSize(1009, 351, 'cuda'), 351, 'a prime');
  assert.equal(partSize(64, Number.POSITIVE_INFINITY, 'webgpu'), 64);
});

test('parts are never larger than they may be, and at most twice as many as are needed', () => {
  const size = fc.integer({ min: 1, max: 5000 });
  fc.assert(
    fc.property(size, size, fc.constantFrom('cuda', 'cpu', 'webgpu'), (count, largest, backend) => {
      const each = partSize(count, largest, backend);
      assert.ok(each <= largest);
      const parts = Math.ceil(count / each);
      assert.ok(parts <= 2 * Math.ceil(count / largest));
      if (each !== largest) assert.equal(parts * each, count);
    }),
  );
});
