/** The thread in which large files are hashed. */
import { createHash } from 'node:crypto';
import { closeSync, openSync, readSync } from 'node:fs';
import { parentPort } from 'node:worker_threads';
import type { HashAnswer, HashRequest } from './hash-thread.js';

const room = Buffer.allocUnsafe(2 ** 20);

function sha256Of(path: string): string {
  const hash = createHash('sha256');
  const file = openSync(path, 'r');
  try {
    for (let read = readSync(file, room); read > 0; read = readSync(file, room))
      hash.update(room.subarray(0, read));
  } finally {
    closeSync(file);
  }
  return hash.digest('hex');
}

parentPort?.on('message', ({ id, path }: HashRequest) => {
  let sha256: string | undefined;
  try {
    sha256 = sha256Of(path);
  } catch {
    // Whoever asked reads the file itself, and hears what is wrong with it.
  }
  parentPort?.postMessage({ id, sha256 } satisfies HashAnswer);
});
