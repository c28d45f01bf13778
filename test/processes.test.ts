import assert from 'node:assert/strict';
import { test } from 'node:test';
import { memoryMb, trend } from './processes.js';

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
