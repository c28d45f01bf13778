/**
 * The lines of a run's events, across the parts that `metrics.jsonl` is kept in: whoever reads or rotates them does it here.
 *
 * The newest events are always in `metrics.jsonl`. When that is large it becomes `metrics-0001.jsonl`, then
 * `metrics-0002.jsonl` and so on, by a rename between two lines, and a new one begins: a line is in one part alone.
 */
import { createReadStream } from 'node:fs';
import { type FileHandle, open, readdir, rename } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { errorCode } from '../../core/system-errors.js';
import { jsonOrNothing } from '../files/json-document.js';
import { metricsEventSchema, type TimedEvent } from '../metrics-event.js';

/** `metrics.jsonl` → `metrics-0012.jsonl`. */
const partName = (path: string, part: number): string =>
  join(dirname(path), basename(path).replace('.', `-${String(part).padStart(4, '0')}.`));

/** The full parts of the events at `path`, in their order; those of a volume that is no more are none. */
export async function eventParts(path: string): Promise<readonly string[]> {
  const names = new Set(
    await readdir(dirname(path)).catch((error: unknown) => {
      if (['ENOENT', 'ENOTDIR', 'ESTALE'].includes(errorCode(error))) return [];
      throw error;
    }),
  );
  const parts: string[] = [];
  for (let part = 1; names.has(basename(partName(path, part))); part++) parts.push(partName(path, part));
  return parts;
}

/** Makes what `path` holds the newest full part: the next event begins a new file. */
export async function rotateEvents(path: string): Promise<void> {
  await rename(path, partName(path, (await eventParts(path)).length + 1));
  // Readers that watch the name find a file there, if only an empty one.
  await (await open(path, 'a')).close();
}

/** Reads on where it ended the last time. */
export interface EventReader {
  /**
   * The lines that were added since the last time, some at a time, from the first one on; a line that has no end yet
   * waits. Where the run was started over, the lines are those of the new one.
   *
   * @throws as Node does, but for files that are not there
   */
  more(): AsyncGenerator<readonly string[]>;
  /** Whether something stood behind the last line that has no end yet, or whose writer was killed. */
  isCut(): boolean;
}

/** Makes a reader of the events at `path` that has read nothing. */
export function createEventReader(path: string): EventReader {
  // Of the parts that are read whole, and of the file after them.
  let [wholeParts, offset, isCut] = [0, 0, false];
  return {
    async *more() {
      // Opened before the parts are listed: what is rotated meanwhile is still this file, and listed as well.
      const newest = await open(path).catch((error: unknown) => {
        if (['ENOENT', 'ENOTDIR', 'ESTALE'].includes(errorCode(error))) return undefined;
        throw error;
      });
      try {
        const parts = await eventParts(path);
        const isOther = newest === undefined ? parts.length === 0 : await isShorter(newest, parts);
        if (parts.length < wholeParts || isOther) [wholeParts, offset] = [0, 0];
        isCut = false;
        for (const part of parts.slice(wholeParts)) {
          if (newest && (await isSameFile(newest, part))) break;
          const whole = createReadStream(part, { start: offset });
          for await (const lines of linesFrom(whole)) yield lines.texts;
          [wholeParts, offset] = [wholeParts + 1, 0];
        }
        if (newest === undefined) return;
        const stream = newest.createReadStream({ start: offset, autoClose: false });
        for await (const { texts, sizeBytes, rest } of linesFrom(stream)) {
          offset += sizeBytes;
          isCut = rest > 0;
          yield texts;
        }
      } finally {
        await newest?.close();
      }
    },
    isCut: () => isCut,
  };

  /** Whether the newest file is another one, which is shorter than what was read of the one before. */
  async function isShorter(newest: FileHandle, parts: readonly string[]): Promise<boolean> {
    return parts.length === wholeParts && (await newest.stat()).size < offset;
  }
}

async function isSameFile(file: FileHandle, path: string): Promise<boolean> {
  const other = await open(path);
  try {
    const [one, two] = [await file.stat(), await other.stat()];
    return one.ino === two.ino && one.dev === two.dev;
  } finally {
    await other.close();
  }
}

/** All lines of the events at `path`, some at a time; none where there are none yet. */
export function eventLines(path: string): AsyncGenerator<readonly string[]> {
  return createEventReader(path).more();
}

/** Lines as they come: their size with their ends, and how many bytes follow that have no end. */
async function* linesFrom(stream: Readable) {
  // What fails while it is read, the loop hears; that it cannot be closed then is nobody's concern.
  stream.on('error', () => undefined);
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of stream) {
    const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    const end = bytes.lastIndexOf(0x0a) + 1;
    rest = bytes.subarray(end);
    const texts = bytes.toString('utf8', 0, end).split('\n').slice(0, -1);
    yield { texts, sizeBytes: end, rest: rest.length };
  }
}

/**
 * Reads the events of `metrics.jsonl` at `path`, some at a time: none where there are none. What is no event, or one of a
 * later version, is passed over.
 */
export async function* recordedEvents(path: string): AsyncGenerator<readonly TimedEvent[]> {
  for await (const lines of eventLines(path)) {
    yield lines.flatMap((line) => {
      const { data } = metricsEventSchema.safeParse(jsonOrNothing(line));
      return data === undefined ? [] : [data as TimedEvent];
    });
  }
}
