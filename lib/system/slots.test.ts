import assert from 'node:assert/strict';
import { describe, it, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { createSlots, inSteps, type WorkSlots } from './slots.js';

const never = () => new AbortController().signal;

async function acquireAs(name: string, { slots, order }: { slots: WorkSlots; order: string[] }) {
  const release = await slots.acquire({ signal: never() });
  order.push(name);
  return release;
}

describe('slots', () => {
  it('lets some run, some wait in order, and refuses the rest at once', async () => {
    const slots = createSlots(2, { waiting: 2 });
    const [first, second] = [
      await slots.acquire({ signal: never() }),
      await slots.acquire({ signal: never() }),
    ];
    const order: string[] = [];
    const third = acquireAs('third', { slots, order });
    const fourth = acquireAs('fourth', { slots, order });
    assert.equal(await slots.acquire({ signal: never() }), undefined);
    assert.deepEqual(order, []);
    second?.();
    second?.();
    (await third)?.();
    await fourth;
    assert.deepEqual(order, ['third', 'fourth']);
    first?.();
  });

  it('lets those who cost less go first', async () => {
    const slots = createSlots(1, { waiting: 4 });
    const release = await slots.acquire({ signal: never() });
    const order: number[] = [];
    const waiting = [40, 1, 40, 7].map(async (cost, index) => {
      const done = await slots.acquire({ signal: never(), cost });
      order.push(cost + index / 10);
      done?.();
    });
    release?.();
    await Promise.all(waiting);
    assert.deepEqual(order, [1.1, 7.3, 40, 40.2]);
  });

  it('forgets a caller that has gone while it waited', async () => {
    const slots = createSlots(1, { waiting: 1 });
    const release = await slots.acquire({ signal: never() });
    const gone = new AbortController();
    const waiting = slots.acquire({ signal: gone.signal });
    gone.abort();
    assert.equal(await waiting, undefined);
    const next = slots.acquire({ signal: never() });
    release?.();
    assert.notEqual(await next, undefined, 'its place was free again, and the turn was not lost');
  });

  it('never lets more run than it may, whatever the order of leaving', async () => {
    const slots = createSlots(3, { waiting: 100 });
    let [running, most] = [0, 0];
    await Promise.all(
      Array.from({ length: 60 }, async (_, index) => {
        const release = await slots.acquire({ signal: never() });
        most = Math.max(most, ++running);
        await new Promise((resolve) => setTimeout(resolve, (index * 7) % 5));
        running--;
        release?.();
      }),
    );
    assert.equal(most, 3);
  });

  it('serves the next one where one that wants more slots gives up', async () => {
    const slots = createSlots(2);
    const release = await slots.acquire();
    const gone = new AbortController();
    const both = slots.acquire({ count: 2, signal: gone.signal });
    const one = slots.acquire();
    gone.abort();
    assert.equal(await both, undefined);
    assert.notEqual(await one, undefined);
    release?.();
  });

  it('is never exceeded by tasks of several slots, starts them in order, and runs every one once', async () => {
    const tasks = fc.array(
      fc.record({ count: fc.integer({ min: 1, max: 9 }), ms: fc.integer({ min: 0, max: 3 }) }),
    );
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 6 }), tasks, async (total, wanted) => {
        const slots = createSlots(total);
        const started: number[] = [];
        let held = 0;
        const runs = wanted.map(({ count, ms }, index) =>
          slots.use(
            async () => {
              started.push(index);
              held += Math.min(count, total);
              assert.ok(held <= total, `${held} of ${total} in use`);
              await sleep(ms);
              held -= Math.min(count, total);
              if (index % 3 === 0) throw new Error('a failing task gives back what it holds');
              return index;
            },
            { count },
          ),
        );
        const results = await Promise.allSettled(runs);
        assert.deepEqual(started, [...wanted.keys()]);
        for (const [index, result] of results.entries()) {
          assert.equal(result.status, index % 3 === 0 ? 'rejected' : 'fulfilled');
        }
      }),
      { numRuns: 40 },
    );
  });
});

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
