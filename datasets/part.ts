/** The part of a download that is there already: `file.part`, with a note beside it of what it is a part of. */
import { open, readFile, rm, stat } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { InterruptedError, UsageError } from '../lib/core/errors.js';
import { storageError, writeFileAtomic } from '../lib/formats/files/atomic-file.js';
import { type Lock, takeLock } from '../lib/formats/files/lock-file.js';
import type { Reporter } from '../lib/observability/events.js';

/** A part of a file on a server. */
export interface Part {
  readonly sizeBytes: number;
  /** ETag or date by which the server recognises the version that this is a part of; empty where nothing is there. */
  readonly validator: string;
}

/** What the note says. */
interface Note {
  readonly url: string;
  readonly validator: string;
}

/** Where the part of `file` lies. */
export function partPath(file: string): string {
  return `${file}.part`;
}

const notePath = (file: string) => `${file}.part.json`;

const NOTHING: Part = { sizeBytes: 0, validator: '' };

/** How often whoever waits for a part looks whether it is free. */
const LOOK_AGAIN_MS = 250;

/**
 * Waits until no other process downloads to `file`, and keeps others off its part until released.
 *
 * @throws {StorageError} when the disk refuses
 * @throws {InterruptedError} when the signal aborts
 */
export async function lockPart(
  file: string,
  { reporter, signal }: { readonly reporter: Reporter; readonly signal?: AbortSignal | undefined },
): Promise<Lock> {
  for (let isTold = false; ; isTold = true) {
    try {
      return await takeLock(`${partPath(file)}.lock`, { what: file, user: 'download' });
    } catch (error) {
      if (!(error instanceof UsageError)) throw error;
      if (!isTold) reporter.warn(`Waiting: ${error.message}`);
    }
    await sleep(LOOK_AGAIN_MS, undefined, signal && { signal }).catch((cause: unknown) => {
      throw new InterruptedError(undefined, { cause });
    });
  }
}

/** The part of `url` that is there; nothing if it is of another address, or not known of which version. */
export async function readPart(file: string, url: string): Promise<Part> {
  try {
    const note = JSON.parse(await readFile(notePath(file), 'utf8')) as Partial<Note>;
    const { size } = await stat(partPath(file));
    const known = note.url === url && typeof note.validator === 'string' && note.validator !== '';
    return known && size > 0 ? { sizeBytes: size, validator: note.validator ?? '' } : NOTHING;
  } catch {
    // Missing or damaged: start from the beginning.
    return NOTHING;
  }
}

/** Empties the part and notes of what it will be one. @throws {StorageError} when the disk refuses. */
export async function startPart(file: string, note: Note): Promise<void> {
  await appendToPart(file, [], 'w');
  await writeFileAtomic(notePath(file), JSON.stringify(note));
}

/** Appends chunks as they come, and syncs. @throws {StorageError} when the disk refuses. */
export async function appendToPart(
  file: string,
  chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  mode: 'a' | 'w' = 'a',
): Promise<void> {
  const refused = (error: unknown) => {
    throw storageError(partPath(file), error);
  };
  const handle = await open(partPath(file), mode).catch(refused);
  try {
    for await (const chunk of chunks) await handle.appendFile(chunk).catch(refused);
    await handle.sync().catch(refused);
  } finally {
    await handle.close();
  }
}

/** Removes the part and its note. */
export async function clearPart(file: string): Promise<void> {
  await Promise.all([partPath(file), notePath(file)].map((path) => rm(path, { force: true })));
}
