/** How trainers share cores: thread plans, the budget. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { createBudget, planThreads } from './cores.js';

test('trainers get the threads with which all are done soonest', () => {
  assert.equal(planThreads({ clients: 2, cores: 2 }), 1, 'side by side');
  assert.equal(
    planThreads({ clients: 3, cores: 2 }),
    2,
    'one after the other: no core idles beside the last',
  );
  assert.equal(planThreads({ clients: 3, cores: 8 }), 2);
  assert.equal(planThreads({ clients: 100, cores: 8 }), 1);
  assert.equal(planThreads({ clients: 1, cores: 4 }), 4);
  assert.equal(planThreads({ clients: 5, cores: 1 }), 1);
});

test('a budget is never exceeded, starts in order, and every task runs once', async () => {
  const tasks = fc.array(
    fc.record({ count: fc.integer({ min: 1, max: 9 }), ms: fc.integer({ min: 0, max: 3 }) }),
  );
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 6 }), tasks, async (total, wanted) => {
      const budget = createBudget(total);
      const started: number[] = [];
      let held = 0;
      const runs = wanted.map(({ count, ms }, index) =>
        budget.use(count, async () => {
          started.push(index);
          held += Math.min(count, total);
          assert.ok(held <= total, `${held} of ${total} in use`);
          await sleep(ms);
          held -= Math.min(count, total);
          if (index % 3 === 0) throw new Error('a failing task gives back what it holds');
          return index;
        }),
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
