/** Memory of this process: given back right away, and collected without long pauses. */

import { setFlagsFromString } from 'node:v8';
import { MessageChannel, type MessagePort } from 'node:worker_threads';

/** Below this, the garbage collector sees to it soon enough, and memory that is used again comes cheaper than new. */
const LARGE_BYTES = 1 << 24;

let nowhere: MessagePort | undefined;

/**
 * Frees the memory of arrays that nobody reads any more: they have no elements afterwards. Those that are small, shared,
 * or only a part of their memory stay as they are.
 */
export function releaseMemory(...arrays: readonly ArrayBufferView[]): void {
  const own = arrays.flatMap(({ buffer, byteLength }) =>
    buffer instanceof ArrayBuffer && byteLength === buffer.byteLength && byteLength >= LARGE_BYTES
      ? [buffer]
      : [],
  );
  if (own.length === 0) return;
  // What is handed to a port whose other end is closed is dropped on the way.
  nowhere ??= closedPort();
  nowhere.postMessage(undefined, [...new Set(own)]);
}

function closedPort(): MessagePort {
  const { port1, port2 } = new MessageChannel();
  port2.close();
  return port1;
}

/**
 * Has every thread of this process collect its young objects by itself. By default it waits for helper threads: what takes
 * a millisecond alone took 5 to 90 where the system had other work for the cores.
 */
export function collectAlone(): void {
  setFlagsFromString('--no-parallel-scavenge');
}
