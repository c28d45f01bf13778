/** The thread in which large files are hashed. */
import { closeSync, openSync } from 'node:fs';
import { parentPort } from 'node:worker_threads';
import { fileSource, sha256OfSource } from './byte-source.js';
import type { HashAnswer, HashRequest } from './hash-thread.js';

function sha256Of(path: string): string {
  const file = openSync(path, 'r');
  try {
    return sha256OfSource(fileSource(file));
  } finally {
    closeSync(file);
  }
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
