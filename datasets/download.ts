/** Downloads one file: resumed where it stopped, retried where that helps, checked, and visible only when whole. */
import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { FedbatchError, InterruptedError } from '../lib/core/errors.js';
import { placeFileAtomic, storageError } from '../lib/formats/files/atomic-file.js';
import { sha256OfFile } from '../lib/formats/files/read-file.js';
import type { Reporter } from '../lib/observability/events.js';
import { formatBytes } from '../lib/observability/format.js';
import { DownloadError, fromFetchError } from './download-error.js';
import { appendToPart, clearPart, lockPart, partPath, readPart, startPart } from './part.js';
import { type RangeAnswer, requestRest } from './range-request.js';

/** How patient a download is. */
export interface Patience {
  /** Attempts in a row that bring nothing new, before it gives up. */
  readonly attempts: number;
  /** Pause before the second attempt; doubled before each further one. */
  readonly backOffMs: number;
  /** Without a byte for so long, an attempt counts as broken. */
  readonly stallMs: number;
}

/** Four attempts within four seconds: enough for a hiccup, and soon enough to say that there is no network. */
const PATIENCE: Patience = { attempts: 4, backOffMs: 500, stallMs: 30_000 };
/** A server may ask for a longer pause than ours, but not for any. */
const LONGEST_PAUSE_MS = 30_000;
/** No dataset of this project comes near; an endless answer would fill the disk. */
const MAX_BYTES = 2 ** 30;

/** What to download, and where to. */
export interface DownloadOptions {
  readonly url: string;
  /** What the file must hash to, as 64 lower-case hexadecimal digits. */
  readonly sha256: string;
  readonly file: string;
  readonly reporter: Reporter;
  readonly signal?: AbortSignal | undefined;
  readonly patience?: Patience;
}

/**
 * Downloads `url` to `file`; until it is whole and its sha256 holds, its bytes lie in `file.part`. Where another process
 * downloads to the same file, it waits for that one first.
 *
 * @throws {DownloadError} when the server cannot be reached, refuses, or serves something else
 * @throws {StorageError} when the disk refuses
 * @throws {InterruptedError} when the signal aborts; the part is kept for the next time
 */
export async function download(options: DownloadOptions): Promise<void> {
  const { file, sha256 } = options;
  await mkdir(dirname(file), { recursive: true }).catch((error: unknown) => {
    throw storageError(file, error);
  });
  const lock = await lockPart(file, options);
  try {
    // Whoever was waited for may have brought it.
    const there = await sha256OfFile(file, 'a download').catch(() => undefined);
    if (there !== sha256) await downloadAlone(options);
  } finally {
    lock.release();
  }
}

async function downloadAlone(options: DownloadOptions): Promise<void> {
  const { file, url, sha256 } = options;
  const kept = (await readPart(file, url)).sizeBytes > 0;
  const { inPieces } = await fetchWhole(options);
  const found = await sha256OfFile(partPath(file), 'a download');
  if (found === sha256) {
    await placeFileAtomic(partPath(file), file);
    await clearPart(file);
    return;
  }
  await clearPart(file);
  // What was kept from an earlier time may be to blame; what came in one piece is what the server has.
  if (kept) return await downloadAlone(options);
  const message = inPieces
    ? `${url} came in several pieces, which together have the sha256 ${found} where ${sha256} was expected.`
    : `${url} serves a file with the sha256 ${found} where ${sha256} was expected.`;
  throw new DownloadError({ kind: inPieces ? 'pieces' : 'checksum', message, transient: false });
}

/** Attempt after attempt, each going on where the last one stopped; tells whether the last one began in the middle. */
async function fetchWhole(options: DownloadOptions): Promise<{ readonly inPieces: boolean }> {
  const { file, url, reporter, signal, patience = PATIENCE } = options;
  for (let failures = 0; ; ) {
    const before = (await readPart(file, url)).sizeBytes;
    try {
      return { inPieces: (await fetchRest(options)) > 0 };
    } catch (cause) {
      const kept = (await readPart(file, url)).sizeBytes;
      if (signal?.aborted) throw interrupted(kept, file, cause);
      if (cause instanceof FedbatchError) throw cause;
      const error = fromFetchError(url, cause);
      failures = kept > before ? 1 : failures + 1;
      if (!error.failure.transient || failures >= patience.attempts) throw error;
      const pauseMs = Math.max(error.failure.retryAfterMs ?? 0, patience.backOffMs * 2 ** (failures - 1));
      const soonMs = Math.min(LONGEST_PAUSE_MS, pauseMs);
      reporter.warn(`${error.message} Trying again in ${soonMs / 1000} s, from ${formatBytes(kept)} on.`);
      await sleep(soonMs, undefined, signal && { signal }).catch((aborted: unknown) => {
        throw interrupted(kept, file, aborted);
      });
    }
  }
}

function interrupted(keptBytes: number, file: string, cause: unknown): InterruptedError {
  const message =
    keptBytes > 0
      ? `Interrupted; ${formatBytes(keptBytes)} are kept in ${partPath(file)}, and the same command resumes from there.`
      : 'Interrupted.';
  return new InterruptedError(message, { cause });
}

/**
 * One request: appends to the part what is missing, or begins anew where the server cannot go on.
 *
 * @returns the number of bytes that were there before
 */
async function fetchRest(options: DownloadOptions): Promise<number> {
  const { file, url, signal, patience = PATIENCE } = options;
  const watch = watchForStall(url, patience.stallMs);
  try {
    const part = await readPart(file, url);
    const either = signal ? AbortSignal.any([signal, watch.signal]) : watch.signal;
    const answer = await requestRest({ url, part, signal: either });
    if (answer.kind === 'complete') return part.sizeBytes;
    if (answer.kind === 'mismatch') {
      await clearPart(file);
      const message = `${url} has no such part any more.`;
      throw new DownloadError({ kind: 'network', message, transient: true });
    }
    if (answer.startsAt === 0) await startPart(file, { url, validator: answer.validator });
    await appendToPart(file, counted(answer, { ...options, onChunk: watch.reset }));
    return answer.startsAt;
  } catch (error) {
    // fetch wraps the reason of an abort in errors of its own.
    throw watch.signal.aborted ? watch.signal.reason : error;
  } finally {
    watch.stop();
  }
}

interface CountOptions extends DownloadOptions {
  readonly onChunk: () => void;
}

/** The answer's bytes, reported as they pass. @throws {DownloadError} when they are fewer or more than announced. */
async function* counted(
  { body, startsAt, totalBytes }: RangeAnswer & { kind: 'bytes' },
  { url, reporter, onChunk }: CountOptions,
): AsyncGenerator<Uint8Array> {
  const limit = totalBytes ?? MAX_BYTES;
  let done = startsAt;
  const failed = (how: string, transient: boolean) =>
    new DownloadError({ kind: 'network', message: `${url} ${how}.`, transient });
  for await (const chunk of body) {
    onChunk();
    done += chunk.length;
    if (done > limit || limit > MAX_BYTES) throw failed(`sends more than ${formatBytes(limit)}`, false);
    reporter.progress({ stage: 'download', done, total: totalBytes ?? done + 1, unit: 'bytes' });
    yield chunk;
  }
  if (totalBytes !== undefined && done < totalBytes)
    throw failed(`stopped after ${formatBytes(done)} of ${formatBytes(totalBytes)}`, true);
  if (totalBytes === undefined) reporter.progress({ stage: 'download', done, total: done, unit: 'bytes' });
}

interface Watch {
  readonly signal: AbortSignal;
  readonly reset: () => void;
  readonly stop: () => void;
}

/** A signal that aborts when nothing has happened for `stallMs`. */
function watchForStall(url: string, stallMs: number): Watch {
  const controller = new AbortController();
  const message = `${url} sent nothing for ${stallMs / 1000} s.`;
  const timer = setTimeout(
    () => controller.abort(new DownloadError({ kind: 'network', message, transient: true })),
    stallMs,
  );
  return { signal: controller.signal, reset: () => timer.refresh(), stop: () => clearTimeout(timer) };
}
