/** Looks at the model file and the records beside it again and again: offers a changed model, and tells its test and training. */

import { type FileHandle, open } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { errorCode } from '../../lib/core/system-errors.js';
import { timerMs } from '../../lib/core/timers.js';
import { readFileShared } from '../../lib/formats/files/read-file.js';
import { KERAS_FILE } from '../../lib/formats/keras/keras-file.js';
import type { Reporter } from '../../lib/observability/events.js';
import { ACCURACY_FILE, findTraining, METRICS_FILE, readTestedModel } from './model-records.js';
import type { ModelStore } from './served-models.js';

/** What is watched, and how. */
interface WatchOptions {
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

/** After a look that took long, so many times as long without one. */
const RESTS = 4;

/** Watches until `signal` aborts. Never rejects: what is wrong with the file is reported once, and the old model stays. */
export async function watchModel(options: WatchOptions): Promise<void> {
  const { modelPath, store, intervalMs, until = () => false, onTaken, reporter, signal } = options;
  const readRecords = createRecordsWatch(modelPath, store);
  let seen = '';
  let complaint = '';
  while (!signal.aborted && !until()) {
    const begun = performance.now();
    try {
      const now = await identify(modelPath);
      if (now.identity !== seen || now.isYoung) {
        const bytes = await readFileShared(modelPath, KERAS_FILE);
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
    // A file that is replaced again and again keeps a processor busy for a part of the time only.
    const restMs = Math.max(intervalMs, RESTS * (performance.now() - begun));
    await delay(timerMs(restMs), undefined, { signal, ref: false }).catch(() => undefined);
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
    const rest = answering === undefined ? 'there is none yet' : `version ${answering} keeps answering`;
    reporter.error(`The new model file is refused, ${rest}: ${messageOf(error)}.`, {
      event: 'model-refused',
    });
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message.replace(/\.$/, '') : String(error);
}

/** A file as it lies there. */
interface FileIdentity {
  /** Another one where another file was put in its place, or something was written into it. */
  readonly identity: string;
  /** Whether it may have been written twice within what its time stamps can tell: then read it again. */
  readonly isYoung: boolean;
}

/** Older files have had time to get another time stamp. */
const TRUSTED_AGE_MS = 10_000;

/** Looks at a file. Opening it makes NFS ask its server. @throws as `open` does, e.g. ENOENT */
async function identify(path: string): Promise<FileIdentity> {
  let file: FileHandle | undefined;
  try {
    file = await open(path);
    const { ino, size, mtimeNs, ctimeNs, mtimeMs } = await file.stat({ bigint: true });
    return {
      identity: [ino, size, mtimeNs, ctimeNs].join(' '),
      isYoung: Math.abs(Date.now() - Number(mtimeMs)) < TRUSTED_AGE_MS,
    };
  } finally {
    await file?.close();
  }
}

/**
 * Makes a function that looks once, and lets the store know what it finds about a version that it holds. A file that has
 * not changed since the look before is not read. It never rejects: records are told where there are some.
 */
function createRecordsWatch(modelPath: string, store: ModelStore): () => Promise<void> {
  const directory = dirname(modelPath);
  const accuracyFile = watchFile(join(directory, ACCURACY_FILE));
  const metricsFile = watchFile(join(directory, METRICS_FILE));
  let tested: Awaited<ReturnType<typeof readTestedModel>>;
  let sought = '';

  return async () => {
    if (await accuracyFile.hasChanged()) tested = await readTestedModel(modelPath);
    // Again each time: it may be about a model that has come only now.
    if (tested !== undefined) store.learn(tested.sha256, tested.found);

    const { sha256, training } = store.card() ?? {};
    if (sha256 === undefined || training !== undefined) return;
    const grown = await metricsFile.hasChanged();
    if (!grown && sought === sha256) return;
    sought = sha256;
    const found = await findTraining(modelPath, sha256);
    if (found !== undefined) store.learn(sha256, { training: found });
  };
}

function watchFile(path: string): { hasChanged(): Promise<boolean> } {
  let seen = '';
  return {
    async hasChanged() {
      const { identity, isYoung } = await identify(path).catch(() => ({ identity: '', isYoung: false }));
      const changed = identity !== seen || isYoung;
      seen = identity;
      return changed;
    },
  };
}
