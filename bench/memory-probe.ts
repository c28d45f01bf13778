/** Loaded into a server that is measured, before its own program: collects its garbage when its parent asks, and tells what is left. */
import { setTimeout as delay } from 'node:timers/promises';

/** What a server keeps once it has nothing to do. */
export interface KeptMemory {
  /** Objects, and the buffers that belong to them. */
  readonly heapBytes: number;
  /** All of the process, its threads and native libraries included. */
  readonly residentBytes: number;
}

/** What one collection frees may hold what the next one frees. */
const COLLECTIONS = 3;

process.on('message', async () => {
  for (let round = 0; round < COLLECTIONS; round++) {
    globalThis.gc?.();
    await delay(50);
  }
  const { heapUsed, external, rss } = process.memoryUsage();
  process.send?.({ heapBytes: heapUsed + external, residentBytes: rss } satisfies KeptMemory);
});
process.channel?.unref();
