import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createSlots, type WorkSlots } from './slots.js';

const never = () => new AbortController().signal;

async function acquireAs(name: string, { slots, order }: { slots: WorkSlots; order: string[] }) {
  const release = await slots.acquire(never());
  order.push(name);
  return release;
}

describe('slots', () => {
  it('lets some run, some wait in order, and refuses the rest at once', async () => {
    const slots = createSlots({ running: 2, waiting: 2 });
    const [first, second] = [await slots.acquire(never()), await slots.acquire(never())];
    const order: string[] = [];
    const third = acquireAs('third', { slots, order });
    const fourth = acquireAs('fourth', { slots, order });
    assert.equal(await slots.acquire(never()), undefined);
    assert.deepEqual(order, []);
    second?.();
    second?.();
    (await third)?.();
    await fourth;
    assert.deepEqual(order, ['third', 'fourth']);
    first?.();
  });

  it('lets those who cost less go first', async () => {
    const slots = createSlots({ running: 1, waiting: 4 });
    const release = await slots.acquire(never());
    const order: number[] = [];
    const waiting = [40, 1, 40, 7].map(async (cost, index) => {
      const done = await slots.acquire(never(), cost);
      order.push(cost + index / 10);
      done?.();
    });
    release?.();
    await Promise.all(waiting);
    assert.deepEqual(order, [1.1, 7.3, 40, 40.2]);
  });

  it('forgets a caller that has gone while it waited', async () => {
    const slots = createSlots({ running: 1, waiting: 1 });
    const release = await slots.acquire(never());
    const gone = new AbortController();
    const waiting = slots.acquire(gone.signal);
    gone.abort();
    assert.equal(await waiting, undefined);
    const next = slots.acquire(never());
    release?.();
    assert.notEqual(await next, undefined, 'its place was free again, and the turn was not lost');
  });

  it('never lets more run than it may, whatever the order of leaving', async () => {
    const slots = createSlots({ running: 3, waiting: 100 });
    let [running, most] = [0, 0];
    await Promise.all(
      Array.from({ length: 60 }, async (_, index) => {
        const release = await slots.acquire(never());
        most = Math.max(most, ++running);
        await new Promise((resolve) => setTimeout(resolve, (index * 7) % 5));
        running--;
        release?.();
      }),
    );
    assert.equal(most, 3);
  });
});
