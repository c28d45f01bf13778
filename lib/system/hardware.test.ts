/** The cores of a machine or container: limits of control groups, as files and as the kernel's own. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { availableCores, cgroupCpuLimit } from './hardware.js';

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
