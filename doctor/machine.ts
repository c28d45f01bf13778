/** What the machine offers: Node, cores, the container's limits, memory, GPUs. */
import { availableParallelism, cpus, totalmem } from 'node:os';
import type { Machine } from '../lib/formats/results.js';
import { availableCores, cgroupCpuLimit, hasNvidiaDriver, nvidiaGpuNames } from '../lib/system/hardware.js';

/** Looks at the machine. */
export function inspectMachine(): Machine {
  const cpuLimit = cgroupCpuLimit();
  const memoryBytes = totalmem();
  // The kernel's "no limit" is a number larger than any memory; libuv's is 0.
  const memoryLimit = process.constrainedMemory();
  const names = nvidiaGpuNames();
  return {
    node: process.versions.node,
    platform: `${process.platform} ${process.arch}`,
    processor: cpus()[0]?.model.trim() ?? 'unknown',
    processors: availableParallelism(),
    cpuLimit: Number.isFinite(cpuLimit) ? cpuLimit : null,
    cores: availableCores(),
    memoryBytes,
    memoryLimitBytes: memoryLimit > 0 && memoryLimit < memoryBytes ? memoryLimit : null,
    gpus: names.length === 0 && hasNvidiaDriver() ? ['an NVIDIA GPU'] : names,
  };
}
