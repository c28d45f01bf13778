import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { MAX_TIMER_SECONDS, timerMs } from './timers.js';

test('timers take any time that a setting may hold, to the millisecond', () => {
  const seconds = fc.oneof(
    fc.double({ min: 0, max: MAX_TIMER_SECONDS, noNaN: true }),
    fc.integer({ min: 0, max: MAX_TIMER_SECONDS * 10 }).map((tenths) => tenths / 10),
  );
  fc.assert(
    fc.property(seconds, (each) => {
      const ms = timerMs(each * 1000);
      assert.ok(Math.abs(ms - each * 1000) <= 0.5);
      assert.equal(AbortSignal.timeout(ms).aborted, false);
    }),
    { examples: [[32.3], [0.0001], [MAX_TIMER_SECONDS]] },
  );
});

test('a longer time, as a server may ask for, is the longest, and one that is over is none', () => {
  fc.assert(
    fc.property(fc.double({ min: 2 ** 31 - 1, noNaN: true }), (ms) => {
      assert.equal(timerMs(ms), 2 ** 31 - 1);
      assert.equal(timerMs(-ms), 0);
    }),
  );
});
