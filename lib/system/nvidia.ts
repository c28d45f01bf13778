/** Whether there is an NVIDIA GPU, told from what its driver leaves in the file system: no library is loaded for it. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

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
