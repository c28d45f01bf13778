/** Bytes at any place without all of them being in memory: of an open file, of a new one, of what is in memory already. */
import { createHash } from 'node:crypto';
import { closeSync, fstatSync, ftruncateSync, openSync, readSync, writeSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { DataError, isFedbatchError } from '../../core/errors.js';
import { errorCode } from '../../core/system-errors.js';
import { writeFileAtomicBy } from './atomic-file.js';
import { againIfStale, checkLimits, type ReadLimits, unreadableFile } from './read-file.js';

/** Bytes at places from 0 on. */
export interface ByteSource {
  readonly sizeBytes: number;
  /** Fills `into` with what lies from `at` on: how many bytes there were, fewer at the end. @throws what the system says */
  read(into: Uint8Array, at: number): number;
}

/** Bytes in memory. */
export function memorySource(bytes: Uint8Array): ByteSource {
  return {
    sizeBytes: bytes.length,
    read(into, at) {
      const part = bytes.subarray(at, at + into.length);
      into.set(part);
      return part.length;
    },
  };
}

/** Of an open file, by its descriptor. */
export function fileSource(file: number): ByteSource {
  return { sizeBytes: fstatSync(file).size, read: (into, at) => readAt(file, into, at) };
}

/** All of the bytes. */
export function allBytes(source: ByteSource): Uint8Array {
  const bytes = new Uint8Array(source.sizeBytes);
  return bytes.subarray(0, source.read(bytes, 0));
}

/** The system reads and writes no more at once. */
const MAX_AT_ONCE_BYTES = 1 << 30;

/** Fills `into` from an open file; a read that the system has cut short is no end of the file. */
function readAt(file: number, into: Uint8Array, at: number): number {
  let filled = 0;
  while (filled < into.length) {
    const count = readSync(
      file,
      into,
      filled,
      Math.min(MAX_AT_ONCE_BYTES, into.length - filled),
      at + filled,
    );
    if (count === 0) break;
    filled += count;
  }
  return filled;
}

/** A file that is open. */
export interface OpenFile extends ByteSource {
  /** The same as long as it is the same file and nobody has written to it. */
  readonly identity: string;
}

/**
 * Lets `use` read in a file.
 *
 * @throws {DataError} when it is missing, a directory, unreadable, above the limits, or somebody wrote to it meanwhile;
 *   what `use` throws passes through
 */
export async function withOpenFile<T>(
  path: string,
  what: string,
  use: (file: OpenFile) => T | Promise<T>,
  { maxBytes }: ReadLimits = {},
): Promise<T> {
  try {
    return await againIfStale(async () => {
      await checkLimits(path, what, { maxBytes });
      const handle = await open(path);
      try {
        const { fd } = handle;
        const identity = identityOf(fd);
        const result = await use({ ...fileSource(fd), identity });
        requireSame(fd, identity, path, what);
        return result;
      } finally {
        await handle.close();
      }
    });
  } catch (error) {
    throw readingFailed(path, what, error);
  }
}

/**
 * Lets `use` read once more in a file that was open before.
 *
 * @throws {DataError} when it is another one now, somebody wrote to it, or it cannot be read
 */
export function readAgain<T>(
  path: string,
  { what, identity }: { readonly what: string; readonly identity: string },
  use: (file: ByteSource) => T,
): T {
  let file: number | undefined;
  try {
    file = openSync(path, 'r');
    const fd = file;
    requireSame(fd, identity, path, what);
    const result = use(fileSource(fd));
    requireSame(fd, identity, path, what);
    return result;
  } catch (error) {
    throw readingFailed(path, what, error);
  } finally {
    if (file !== undefined) closeSync(file);
  }
}

/** What the system says as what it means to a user; all else as it is. */
function readingFailed(path: string, what: string, error: unknown): unknown {
  return isFedbatchError(error) || errorCode(error) === '' ? error : unreadableFile(path, what, error);
}

function requireSame(file: number, identity: string, path: string, what: string): void {
  if (identityOf(file) === identity) return;
  throw new DataError({ file: path, expected: what, found: 'one that was written to while it was read' });
}

/** What changes when another file is at the place, or somebody writes to it. */
function identityOf(file: number): string {
  const { dev, ino, size, mtimeNs } = fstatSync(file, { bigint: true });
  return [dev, ino, size, mtimeNs].join();
}

/** sha256 of bytes, as 64 lower-case hexadecimal digits. */
export function sha256OfSource(source: ByteSource): string {
  const hash = createHash('sha256');
  const buffer = new Uint8Array(Math.min(HASHED_BYTES, source.sizeBytes));
  for (let at = 0; at < source.sizeBytes; ) {
    const count = source.read(buffer, at);
    if (count === 0) break;
    hash.update(buffer.subarray(0, count));
    at += count;
  }
  return hash.digest('hex');
}

/** So much is hashed at once. */
const HASHED_BYTES = 1 << 20;

/**
 * Writes a file atomically, at any places of it: the sha256 of its bytes.
 *
 * @throws {StorageError} when the volume refuses; what `write` throws of its own
 */
export async function writeFileHashed(
  path: string,
  write: (target: WritableFile) => Promise<void>,
): Promise<string> {
  let hash = '';
  await writeFileAtomicBy(path, async ({ fd }) => {
    let sizeBytes = 0;
    const read = (into: Uint8Array, at: number) => readAt(fd, into, at);
    await write({
      read,
      write(bytes, at) {
        for (let done = 0; done < bytes.length; )
          done += writeSync(fd, bytes, done, Math.min(MAX_AT_ONCE_BYTES, bytes.length - done), at + done);
        sizeBytes = Math.max(sizeBytes, at + bytes.length);
      },
      resize(size) {
        ftruncateSync(fd, size);
        sizeBytes = size;
      },
    });
    hash = sha256OfSource({ sizeBytes, read });
  });
  return hash;
}

/** A file that is written at any places of it. */
interface WritableFile extends Pick<ByteSource, 'read'> {
  write(bytes: Uint8Array, at: number): void;
  resize(sizeBytes: number): void;
}
