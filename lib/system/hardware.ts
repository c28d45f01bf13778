/** The hardware that this process may use: its processor cores, the default of every number of threads, and NVIDIA's GPUs. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';

/**
 * Cores that this process may use: by affinity and by the container's cpu limit, whole ones, at least 1. More threads
 * than that would be stopped by the limit in the middle of their work, all the others waiting for them.
 */
export function availableCores(): number {
  return Math.max(1, Math.min(availableParallelism(), Math.floor(cgroupCpuLimit())));
}

/**
 * The cpu limit of this process's control group or of one above it, in cores (0.5 is half a core); Infinity
 * without a limit. Reads cgroup v2 (`cpu.max`) and v1 (`cpu.cfs_quota_us`).
 *
 * @param root where `proc` and `sys` lie
 */
export function cgroupCpuLimit(root = '/'): number {
  // Lines like `0::/user.slice` (v2) and `4:cpu,cpuacct:/docker/12ab` (v1).
  const groups = readText(join(root, 'proc/self/cgroup')).split('\n');
  const limits = groups.flatMap((group) => {
    const [, controllers = '', path = '/'] = /^\d+:([^:]*):(.*)$/.exec(group) ?? [];
    if (controllers === '') return ancestors(path).map((at) => limitV2(join(root, 'sys/fs/cgroup', at)));
    if (!controllers.split(',').includes('cpu')) return [];
    return ancestors(path).map((at) => limitV1(join(root, 'sys/fs/cgroup', controllers, at)));
  });
  return Math.min(Infinity, ...limits);
}

/** `/a/b` → `/a/b`, `/a`, `/`. In a container the group's own path may not be mounted, but the root is. */
function ancestors(path: string): readonly string[] {
  const parts = path.split('/').filter((part) => part !== '');
  return Array.from(
    { length: parts.length + 1 },
    (_, up) => `/${parts.slice(0, parts.length - up).join('/')}`,
  );
}

function limitV2(directory: string): number {
  const [quota, period] = readText(join(directory, 'cpu.max')).trim().split(' ').map(Number);
  return ratio(quota, period);
}

function limitV1(directory: string): number {
  const [quota, period] = ['cpu.cfs_quota_us', 'cpu.cfs_period_us'].map((name) =>
    Number.parseInt(readText(join(directory, name)), 10),
  );
  return ratio(quota, period);
}

/** No limit is `max` (NaN here) in v2 and -1 in v1. */
function ratio(quota = Number.NaN, period = Number.NaN): number {
  return quota > 0 && period > 0 ? quota / period : Infinity;
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

/** Where the driver shows itself: Linux, WSL 2, Windows. */
const TRACES = [
  '/dev/nvidiactl',
  '/dev/dxg',
  join(process.env.SYSTEMROOT ?? 'C:\\Windows', 'System32/nvcuda.dll'),
];

/** Whether this process sees an NVIDIA driver; in a container only where a GPU was given to it. */
export function hasNvidiaDriver(): boolean {
  return TRACES.some((path) => existsSync(path));
}

/** The names of the GPUs, as far as the Linux driver tells them. */
export function nvidiaGpuNames(root = '/proc/driver/nvidia/gpus'): readonly string[] {
  try {
    return readdirSync(root).flatMap((gpu) => {
      const [, name] = /^Model:\s*(.+)$/m.exec(readFileSync(join(root, gpu, 'information'), 'utf8')) ?? [];
      return name === undefined ? [] : [name.trim()];
    });
  } catch {
    return [];
  }
}
