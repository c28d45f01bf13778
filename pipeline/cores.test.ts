/** Cores and how trainers share them: limits of control groups, thread plans, the budget. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { availableCores, cgroupCpuLimit, createBudget, planThreads } from './cores.js';

/** The limit that is read from a tree of these files. */
function limitOf(files: Readonly<Record<string, string>>): number {
  const root = mkdtempSync(join(tmpdir(), 'fedbatch-'));
  try {
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      writeFileSync(join(root, path), text);
    }
    return cgroupCpuLimit(root);
  } finally {
    rmSync(root, { recursive: true });
  }
}

test('the cpu limit of a control group is read, version 2 and 1, of the group and of those above', () => {
  const v2 = { 'proc/self/cgroup': '0::/pod/box\n' };
  assert.equal(limitOf({ ...v2, 'sys/fs/cgroup/pod/box/cpu.max': '150000 100000\n' }), 1.5);
  assert.equal(limitOf({ ...v2, 'sys/fs/cgroup/pod/box/cpu.max': 'max 100000\n' }), Infinity);
  assert.equal(
    limitOf({
      ...v2,
      'sys/fs/cgroup/pod/cpu.max': '50000 100000\n',
      'sys/fs/cgroup/pod/box/cpu.max': '400000 100000\n',
    }),
    0.5,
  );
  // In a container the group's own path is not mounted, its limit lies at the root.
  assert.equal(limitOf({ ...v2, 'sys/fs/cgroup/cpu.max': '200000 100000\n' }), 2);
  const v1 = { 'proc/self/cgroup': '5:memory:/\n4:cpu,cpuacct:/box\n' };
  assert.equal(
    limitOf({
      ...v1,
      'sys/fs/cgroup/cpu,cpuacct/box/cpu.cfs_quota_us': '300000\n',
      'sys/fs/cgroup/cpu,cpuacct/box/cpu.cfs_period_us': '100000\n',
    }),
    3,
  );
  assert.equal(limitOf({ ...v1, 'sys/fs/cgroup/cpu,cpuacct/box/cpu.cfs_quota_us': '-1\n' }), Infinity);
  assert.equal(limitOf({}), Infinity);
});

test('there is at least one core', () => {
  assert.ok(Number.isInteger(availableCores()) && availableCores() >= 1);
});

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
