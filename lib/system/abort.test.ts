/** Nothing that waits leaves a timer or a listener behind, however often it is woken, done or stopped. */
import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { test } from 'node:test';
import { InterruptedError } from '../core/errors.js';
import { createBell, forMany, pause, within } from './abort.js';

const LONG_MS = 600_000;
const listeners = (signal: AbortSignal) => getEventListeners(signal, 'abort').length;
const timers = () => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;

test('a bell that has rung a thousand times, and work that is done, leave nothing behind', async () => {
  const { signal } = new AbortController();
  const before = timers();
  const bell = createBell();
  for (let ring = 0; ring < 1000; ring++) {
    const heard = bell.wait({ ms: LONG_MS, signal });
    bell.ring();
    await heard;
    assert.equal(await within({ ms: LONG_MS, signal }, async () => ring), ring);
  }
  await assert.rejects(
    within({ ms: LONG_MS, signal }, () => Promise.reject(new Error('no'))),
    /^Error: no$/,
  );
  await pause(0, signal);
  assert.equal(listeners(signal), 0);
  assert.equal(timers(), before);
});

test('a ring that nobody waits for is heard by the next wait, and by that one alone', async () => {
  const { signal } = new AbortController();
  const bell = createBell();
  bell.ring();
  bell.ring();
  await bell.wait({ ms: LONG_MS, signal });
  let isHeard = false;
  const next = bell.wait({ ms: LONG_MS, signal }).then(() => {
    isHeard = true;
  });
  await new Promise((done) => setImmediate(done));
  assert.equal(isHeard, false);
  bell.ring();
  await next;
  await bell.wait({ ms: 1, signal });
});

test('what is stopped ends at once, and leaves nothing behind', async () => {
  const stop = new AbortController();
  const signal = forMany(stop.signal);
  const before = timers();
  let over: AbortSignal | undefined;
  const waits = [
    pause(LONG_MS, signal),
    createBell().wait({ ms: LONG_MS, signal }),
    within({ ms: LONG_MS, signal }, (own) => {
      over = own;
      return new Promise(() => undefined);
    }),
  ];
  stop.abort(new InterruptedError());
  for (const wait of waits) await assert.rejects(wait, InterruptedError);
  assert.equal(over?.aborted, true);
  await assert.rejects(createBell().wait({ ms: LONG_MS, signal }), InterruptedError);
  await assert.rejects(
    within({ ms: LONG_MS, signal }, async () => assert.fail('it has no time')),
    InterruptedError,
  );
  assert.equal(listeners(signal), 0);
  assert.equal(timers(), before);
});

test('a wait that is longer than a timer can be is no short one', async () => {
  const stop = new AbortController();
  const long = pause(2 ** 31, stop.signal).then(() => 'over');
  const first = await Promise.race([long, pause(50, stop.signal).then(() => 'still waiting')]);
  assert.equal(first, 'still waiting');
  stop.abort();
  await assert.rejects(long, InterruptedError);
});

test('work that does not end is given up after its time', async () => {
  const { signal } = new AbortController();
  await assert.rejects(
    within({ ms: 10, signal }, () => new Promise(() => undefined)),
    /^Error: no answer within 0.01 s$/,
  );
});
