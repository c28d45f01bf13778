/** The machine that something was measured on, in words. */
import { arch, cpus, platform, totalmem } from 'node:os';
import { formatBytes } from '../lib/observability/format.js';

/** Processor, memory, platform, and Node's version. */
export function describeMachine(): string {
  const [cpu] = cpus();
  return `${cpus().length} cores of ${cpu?.model.trim()}, ${formatBytes(totalmem())}, ${platform()} ${arch()}, Node ${process.versions.node}`;
}
