/** A real cpu limit for a child process: a control group of its own, where this machine lets us make one. */
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** A control group that stops its processes after `cores` × the time of one core. */
export interface CpuLimit {
  /** The command that runs `program` with `args` inside the group. */
  command(program: string, args: readonly string[]): readonly [file: string, args: readonly string[]];
  /** Removes the group once the processes in it have ended. */
  remove(): Promise<void>;
}

/** Length of an accounting period in microseconds: the kernel's default. */
const PERIOD = 100_000;

/** Where control groups of either version take new groups, and how a limit is written there. */
const HIERARCHIES: readonly { readonly root: string; write(group: string, quota: number): void }[] = [
  {
    root: '/sys/fs/cgroup/cpu',
    write(group, quota) {
      writeFileSync(join(group, 'cpu.cfs_period_us'), `${PERIOD}`);
      writeFileSync(join(group, 'cpu.cfs_quota_us'), `${quota}`);
    },
  },
  {
    root: '/sys/fs/cgroup',
    write: (group, quota) => writeFileSync(join(group, 'cpu.max'), `${quota} ${PERIOD}`),
  },
];

/** Makes a group, or says why that is not possible here (mostly: not root, or a read-only mount). */
export function limitCpu(cores: number): CpuLimit | string {
  let reason = 'there are no control groups';
  for (const { root, write } of HIERARCHIES.filter((each) => existsSync(each.root))) {
    const group = join(root, `fedbatch-test-${process.pid}-${cores}`);
    try {
      mkdirSync(group);
    } catch (error) {
      reason = `no control group can be made: ${error instanceof Error ? error.message : error}`;
      continue;
    }
    try {
      write(group, cores * PERIOD);
    } catch (error) {
      rmdirSync(group);
      reason = `no cpu limit can be set: ${error instanceof Error ? error.message : error}`;
      continue;
    }
    const enter = 'echo $$ > "$0" && exec "$@"';
    return {
      command: (program, args) => [
        '/bin/sh',
        ['-c', enter, join(group, 'cgroup.procs'), process.execPath, program, ...args],
      ],
      async remove() {
        while (readFileSync(join(group, 'cgroup.procs'), 'utf8') !== '') await sleep(20);
        rmdirSync(group);
      },
    };
  }
  return reason;
}
