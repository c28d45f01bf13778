/** Reading whole files, and what identifies them: their bytes within limits, their sha256, whether they are there. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { access, type FileHandle, open, stat } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { abbreviatedHash, DataError } from '../../core/errors.js';
import { errorCode, systemReason } from '../../core/system-errors.js';

/** Whether something lies at `path` that this process may look at. */
export function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

/** Whether it is certain that nothing lies at `path`. */
export async function isAbsent(path: string): Promise<boolean> {
  try {
    await stat(path);
    return false;
  } catch (error) {
    return ['ENOENT', 'ENOTDIR'].includes(errorCode(error));
  }
}

/** What a file may be that somebody else put there. */
export interface ReadLimits {
  /** Larger files, and what is no file (a pipe never ends), are refused before they are read. */
  readonly maxBytes?: number | undefined;
}

/** Reads a whole file. @throws {DataError} when it is missing, a directory, unreadable, or above the limits. */
export async function readFileBytes(
  path: string,
  what: string,
  { maxBytes }: ReadLimits = {},
): Promise<Uint8Array> {
  try {
    await checkLimits(path, what, { maxBytes });
    return await againIfStale(() => readWhole(path));
  } catch (error) {
    if (error instanceof DataError) throw error;
    throw unreadableFile(path, what, error);
  }
}

/** @throws {DataError} for what is above the limits; what the system says of a file that is not there */
export async function checkLimits(path: string, what: string, { maxBytes }: ReadLimits): Promise<void> {
  if (maxBytes === undefined) return;
  const facts = await stat(path);
  if (!facts.isFile() && !facts.isDirectory())
    throw new DataError({ file: path, expected: what, found: 'something that is no file' });
  if (facts.size <= maxBytes) return;
  const expected = `${what} of at most ${maxBytes} bytes`;
  throw new DataError({ file: path, expected, found: `${facts.size}` });
}

/** Reads a whole file of text (UTF-8). @throws {DataError} as `readFileBytes` */
export async function readTextFile(path: string, what: string): Promise<string> {
  return new TextDecoder().decode(await readFileBytes(path, what));
}

/** So often a file may be replaced while it is read. */
const MOST_REPLACED = 20;

/** Reads a file, and once more where it was replaced meanwhile: an NFS 3 server then no longer has the one that was opened. */
export async function againIfStale<T>(read: () => Promise<T>): Promise<T> {
  for (let times = 1; ; times++) {
    try {
      return await read();
    } catch (error) {
      if (errorCode(error) !== 'ESTALE' || times > MOST_REPLACED) throw error;
    }
  }
}

/** Node's own `readFile` takes a read that the system has cut short for the end of the file. */
async function readWhole(path: string): Promise<Uint8Array> {
  const file = await open(path);
  try {
    const first = await file.readFile();
    const { size } = await file.stat();
    if (first.length >= size) return first;
    const whole = new Uint8Array(size);
    whole.set(first);
    const rest = await readInto(file, whole.subarray(first.length), first.length);
    return whole.subarray(0, first.length + rest);
  } finally {
    await file.close();
  }
}

/** Reads a whole file into memory that threads can share. @throws {DataError} as `readFileBytes` */
export async function readFileShared(path: string, what: string): Promise<Uint8Array<SharedArrayBuffer>> {
  try {
    return await againIfStale(() => readWholeShared(path));
  } catch (error) {
    throw unreadableFile(path, what, error);
  }
}

async function readWholeShared(path: string): Promise<Uint8Array<SharedArrayBuffer>> {
  const file = await open(path);
  try {
    const bytes = new Uint8Array(new SharedArrayBuffer((await file.stat()).size));
    return bytes.subarray(0, await readInto(file, bytes, 0));
  } finally {
    await file.close();
  }
}

/** Fills an array with the bytes of a file from a place on: how many there were, fewer at its end. */
export async function readInto(file: FileHandle, bytes: Uint8Array, at: number): Promise<number> {
  let filled = 0;
  while (filled < bytes.length) {
    const { bytesRead } = await file.read(bytes, filled, bytes.length - filled, at + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return filled;
}

/** So much of a file tells what it is. */
export const HEAD_BYTES = 65_536;

/** The first bytes of a file, all of a shorter one. @throws what the system says of one that cannot be read */
export async function readHead(path: string, sizeBytes = HEAD_BYTES): Promise<Buffer> {
  const file = await open(path);
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(sizeBytes), 0, sizeBytes, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}

/** Whether bytes begin as gzip does. */
export const isGzip = (bytes: Uint8Array): boolean => bytes[0] === 0x1f && bytes[1] === 0x8b;

/** sha256 of some bytes, as 64 lower-case hexadecimal digits. */
export function sha256(bytes: Uint8Array | string): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** So much of a file is hashed at once: each piece costs a turn of the loop. */
const HASHED_BYTES = 2 ** 20;

/** A thread is started for larger files: from here on, hashing takes longer than that. */
const LARGE_BYTES = 2 ** 25;

/**
 * sha256 of a file of any size, as 64 lower-case hexadecimal digits; of a large one in a thread of its own, so that the
 * program can do something else meanwhile.
 *
 * @throws {DataError} when it is missing, a directory, or unreadable; `what` says what was expected
 */
export async function sha256OfFile(path: string, what: string): Promise<string> {
  try {
    if ((await stat(path)).size >= LARGE_BYTES) {
      const found = await (await import('./hash-thread.js')).sha256InThread(path);
      if (found !== undefined) return found;
    }
    return await againIfStale(async () => {
      const hash = createHash('sha256');
      await pipeline(createReadStream(path, { highWaterMark: HASHED_BYTES }), hash);
      return hash.digest('hex');
    });
  } catch (error) {
    throw unreadableFile(path, what, error);
  }
}

/** @throws {DataError} for a file that is not the one that is known by its sha256: another one lies there since, or it is damaged */
export function requireHash(
  file: string,
  what: string,
  { known, found }: { readonly known: string | undefined; readonly found: string },
): void {
  if (known === undefined || found === known) return;
  const expected = `${what} (sha256 ${abbreviatedHash(known)})`;
  throw new DataError({ file, expected, found: `another one (${abbreviatedHash(found)})` });
}

/** What the system's refusal to read a file means to a user. */
export function unreadableFile(path: string, what: string, cause: unknown): DataError {
  const code = errorCode(cause);
  const found =
    code === 'ENOENT'
      ? 'no such file'
      : code === 'EISDIR'
        ? 'a directory'
        : code === 'ERR_FS_FILE_TOO_LARGE'
          ? 'a file of more than 2 GiB'
          : `a file that cannot be read: ${systemReason(cause)}`;
  return new DataError({ file: path, expected: what, found }, { cause });
}

/** Below this, no file is called a bomb: any machine that trains has as much to spare. */
export const SMALL_BYTES = 64e6;
/** Images deflate to a fifth or so; what grows more than this was made to exhaust memory. */
export const MAX_EXPANSION = 100;
/** More than this is only what a file holds without compression. */
const MAX_INFLATED_BYTES = 2 ** 31 - 1;

/** How many bytes the arrays of a file of so many bytes may come to when inflated, all together. */
export function inflateBudget(fileBytes: number): number {
  return Math.max(fileBytes, Math.min(MAX_INFLATED_BYTES, Math.max(SMALL_BYTES, fileBytes * MAX_EXPANSION)));
}
