/** How trainers share cores: thread plans, and trainers side by side. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import fc from 'fast-check';
import { planThreads, sharingCores } from './local-run.js';

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

const upTo = (max: number) => fc.integer({ min: 1, max });

/** The most cores and trainers that were in use at once. */
async function peakOf(
  plan: { readonly cores: number; readonly jobs: number; readonly threads: number },
  clients: number,
): Promise<{ cores: number; jobs: number; trained: readonly number[] }> {
  const peak = { cores: 0, jobs: 0 };
  const trained: number[] = [];
  let running = 0;
  const { signal } = new AbortController();
  await sharingCores({ ...plan, signal }, [...Array(clients).keys()], async (client) => {
    running++;
    peak.jobs = Math.max(peak.jobs, running);
    peak.cores = Math.max(peak.cores, running * plan.threads);
    for (let wait = client % 3; wait >= 0; wait--) await turn();
    running--;
    trained.push(client);
  });
  return { ...peak, trained };
}

test('J trainers of T threads never hold more than the cores', async () => {
  await fc.assert(
    fc.asyncProperty(upTo(8), upTo(8), upTo(8), upTo(12), async (cores, jobs, threads, clients) => {
      const peak = await peakOf({ cores, jobs, threads }, clients);
      // Who asks for more threads than there are cores gets them, for one trainer at a time.
      assert.ok(peak.cores <= Math.max(cores, threads), `${peak.cores} threads on ${cores} cores`);
      assert.ok(peak.jobs <= jobs, `${peak.jobs} of ${jobs} trainers`);
      assert.deepEqual(
        [...peak.trained].sort((a, b) => a - b),
        [...Array(clients).keys()],
      );
    }),
  );
});

test('the planned threads fit the cores, and use them where there are clients enough', async () => {
  await fc.assert(
    fc.asyncProperty(upTo(16), upTo(20), async (cores, clients) => {
      const threads = planThreads({ clients, cores });
      const peak = await peakOf({ cores, jobs: clients, threads }, clients);
      assert.ok(peak.cores <= cores);
      if (clients >= cores) assert.ok(peak.cores > cores / 2, `${peak.cores} of ${cores} cores in use`);
    }),
  );
});

test('as many trainers as there are clients may listen for the end at once, without a warning', async (t) => {
  const warnings: Error[] = [];
  const keep = (warning: Error) => void warnings.push(warning);
  process.on('warning', keep);
  t.after(() => process.off('warning', keep));
  const { signal } = new AbortController();
  const plan = { cores: 40, jobs: 40, threads: 1, signal };
  await sharingCores(plan, [...Array(40).keys()], async (_, stop) => {
    stop.addEventListener('abort', () => undefined);
    await turn();
  });
  await turn();
  assert.deepEqual(warnings, []);
});
