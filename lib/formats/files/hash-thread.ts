/** A thread beside the program's own that hashes large files, while the program reads them or writes others. */
import { Worker } from 'node:worker_threads';

export interface HashRequest {
  readonly id: number;
  readonly path: string;
}

export interface HashAnswer {
  readonly id: number;
  /** Undefined where the file could not be read. */
  readonly sha256: string | undefined;
}

type Hear = (sha256: string | undefined) => void;

let thread: Worker | undefined;
let nextId = 0;
const waiting = new Map<number, Hear>();

/** sha256 of a file; undefined where the thread could not tell. The thread keeps the program alive only while it hashes. */
export function sha256InThread(path: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    thread ??= startThread();
    const id = nextId++;
    waiting.set(id, resolve);
    thread.ref();
    thread.postMessage({ id, path } satisfies HashRequest);
  });
}

function startThread(): Worker {
  const started = new Worker(new URL('./hash-worker.js', import.meta.url));
  const answer = ({ id, sha256 }: HashAnswer) => {
    waiting.get(id)?.(sha256);
    waiting.delete(id);
    if (waiting.size === 0) started.unref();
  };
  const end = () => {
    if (thread === started) thread = undefined;
    for (const id of [...waiting.keys()]) answer({ id, sha256: undefined });
  };
  return started.on('message', answer).on('error', end).on('exit', end);
}
