/** One event file of a run's logs: added to in pieces, of which a reader that comes later finds the whole ones alone. */
import { appendFile, readFile, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { errorCode } from '../../lib/core/system-errors.js';
import { makeDirectory, storageError } from '../../lib/formats/files/atomic-file.js';
import { encodeEvent, encodeVersion, readEvent, type StepEvent } from './event-message.js';
import { frameRecord, soundRecords } from './record-frames.js';

/** An event file that is added to. */
export interface EventFile {
  /** The step that the last piece ended with; undefined where there is none. */
  readonly lastStep: number | undefined;
  /** Whether a value of this tag is in it. */
  has(tag: string): boolean;
  /** Adds a piece, whose last event has a closing tag. @throws {StorageError} when the disk refuses */
  append(piece: readonly StepEvent[]): Promise<void>;
}

/**
 * Opens the event file at `path`, which need not be there. A piece that a killed writer left unfinished, or a disk
 * damaged, is cut off with all that follows.
 *
 * @param closing tags by which the last event of a piece is known
 * @throws {StorageError} when the disk refuses
 */
export async function openEventFile(path: string, closing: readonly string[]): Promise<EventFile> {
  const bytes = await readFile(path).catch((error: unknown) => {
    if (errorCode(error) === 'ENOENT') return new Uint8Array();
    throw storageError(path, error);
  });
  const tags = new Set<string>();
  let lastStep: number | undefined;
  let end = 0;
  for (const record of soundRecords(bytes)) {
    const event = readEvent(record.payload);
    for (const tag of event.tags) tags.add(tag);
    if (!event.tags.some((tag) => closing.includes(tag))) continue;
    lastStep = event.step;
    end = record.end;
  }
  let isBegun = end > 0;
  const refused = (error: unknown): never => {
    throw storageError(path, error);
  };
  if (end < bytes.length) await truncate(path, end).catch(refused);
  return {
    get lastStep() {
      return lastStep;
    },
    has: (tag) => tags.has(tag),
    async append(piece) {
      const messages = piece.map(encodeEvent);
      if (!isBegun) {
        await makeDirectory(join(path, '..')).catch(refused);
        messages.unshift(encodeVersion(piece[0]?.wallTime ?? 0));
      }
      await appendFile(path, Buffer.concat(messages.map(frameRecord))).catch(refused);
      isBegun = true;
      for (const { step, values } of piece) {
        lastStep = step;
        for (const { tag } of values) tags.add(tag);
      }
    },
  };
}
