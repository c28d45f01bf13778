/** Looks at the model file again and again, and offers what has changed: by its content, which is the same on NFS. */
import { setTimeout as delay } from 'node:timers/promises';
import { errorCode, readFileShared } from '../../lib/formats/atomic-file.js';
import type { Reporter } from '../../lib/observability/events.js';
import { MODEL_FILE } from '../load-model.js';
import { identify } from './file-identity.js';
import type { ModelStore } from './served-models.js';
import { createRecordsWatch } from './watch-records.js';

/** What is watched, and how. */
export interface WatchOptions {
  readonly modelPath: string;
  readonly store: ModelStore;
  /** Between two looks. */
  readonly intervalMs: number;
  /** Ends the watch; never by default. */
  readonly until?: () => boolean;
  /** Told when another version has begun to answer. */
  readonly onTaken: () => void;
  readonly reporter: Reporter;
  readonly signal: AbortSignal;
}

/** Watches until `signal` aborts. Never rejects: what is wrong with the file is reported once, and the old model stays. */
export async function watchModel(options: WatchOptions): Promise<void> {
  const { modelPath, store, intervalMs, until = () => false, onTaken, reporter, signal } = options;
  const readRecords = createRecordsWatch(modelPath, store);
  let seen = '';
  let complaint = '';
  while (!signal.aborted && !until()) {
    try {
      const now = await identify(modelPath);
      if (now.identity !== seen || now.isYoung) {
        const bytes = await readFileShared(modelPath, MODEL_FILE);
        seen = now.identity;
        await offer(bytes, { store, onTaken, reporter });
      }
      complaint = '';
    } catch (error) {
      // A file that is replaced on NFS may be gone for a moment.
      const message = errorCode(error) === 'ENOENT' ? `${modelPath} is not there` : messageOf(error);
      if (message !== complaint) reporter.warn(`${message}; looking again every ${intervalMs / 1000} s.`);
      complaint = message;
    }
    await readRecords();
    await delay(intervalMs, undefined, { signal, ref: false }).catch(() => undefined);
  }
}

async function offer(
  bytes: Uint8Array<SharedArrayBuffer>,
  { store, onTaken, reporter }: Pick<WatchOptions, 'store' | 'onTaken' | 'reporter'>,
): Promise<void> {
  try {
    if ((await store.offer(bytes)) === 'known') return;
    onTaken();
  } catch (error) {
    const answering = store.current()?.version;
    const rest = answering === undefined ? 'there is none yet' : `version ${answering} goes on answering`;
    reporter.error(`The new model file is refused, ${rest}: ${messageOf(error)}.`, {
      event: 'model-refused',
    });
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message.replace(/\.$/, '') : String(error);
}
