/** What the machine offers: Node, cores, the container's limits, memory, GPUs. */
import { availableParallelism, cpus, totalmem } from 'node:os';
import { availableCores, cgroupCpuLimit, hasNvidiaDriver, nvidiaGpuNames } from '../lib/system/hardware.js';

/** Facts of this machine or container. */
export interface Machine {
  readonly node: string;
  /** E.g. `linux x64`. */
  readonly platform: string;
  readonly processor: string;
  /** Logical processors that the system lets this process run on. */
  readonly processors: number;
  /** The container's cpu limit in cores; null without one. */
  readonly cpuLimit: number | null;
  /** Cores that fedbatch uses: the smaller of the two, whole. */
  readonly cores: number;
  readonly memoryBytes: number;
  /** The container's memory limit; null without one. */
  readonly memoryLimitBytes: number | null;
  /** NVIDIA GPUs by name; one without a name where a driver is there but does not tell. */
  readonly gpus: readonly string[];
}

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
