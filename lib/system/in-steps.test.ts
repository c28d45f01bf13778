import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inSteps } from './in-steps.js';

/** Keeps the thread for some milliseconds. */
function work(ms: number): void {
  for (const until = performance.now() + ms; performance.now() < until; );
}

function* steps(count: number, ms: number): Generator<void, number> {
  for (let step = 0; step < count; step++) {
    work(ms);
    yield;
  }
  return count;
}

test('long work is done to its end while others go on, short work at once', async () => {
  let rounds = 0;
  const others = setInterval(() => rounds++, 0);
  assert.equal(await inSteps(steps(10, 3)), 10);
  clearInterval(others);
  assert.ok(rounds > 0);
  const [long, short] = [inSteps(steps(10, 3)), inSteps(steps(3, 0))];
  assert.deepEqual(await Promise.race([long.then(() => 'long'), short.then(() => 'short')]), 'short');
  await long;
});

test('what a step throws is thrown', async () => {
  function* failing(): Generator<void, number> {
    yield;
    throw new RangeError('no more');
  }
  await assert.rejects(inSteps(failing()), /no more/);
});
