/** The part of a download that is there already: `file.part`, with a note beside it of what it is a part of. */
import { open, readFile, rm, stat } from 'node:fs/promises';
import { storageError, writeFileAtomic } from '../lib/formats/atomic-file.js';

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
