/** Room on a disk for a while: a directory, or a file for what does not fit into memory, which is gone with its process. */
import { closeSync, existsSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { IN_MEMORY_BYTES } from '../../federation/example-rows.js';
import { storageError, temporaryName } from './atomic-file.js';

/**
 * Lets `use` have a directory of its own, where the system wants such things, with `purpose` in its name.
 *
 * @throws {StorageError} when there is no room for one; what `use` throws
 */
export async function withScratchDirectory<T>(
  purpose: string,
  use: (directory: string) => Promise<T>,
): Promise<T> {
  const directory = await mkdtemp(join(tmpdir(), `fedbatch-${purpose}-`)).catch((error: unknown) => {
    throw storageError(tmpdir(), error);
  });
  try {
    return await use(directory);
  } finally {
    await rm(directory, { recursive: true, force: true }).catch(() => undefined);
  }
}

/** Numbers in a typed array. */
type Numbers = Uint8Array | Int32Array | Uint32Array | Float32Array | Float64Array;

/** Room on a disk, made when it is first asked for. */
export class ScratchFile {
  readonly memoryBytes: number;
  readonly #directory: string;
  #path = '';
  #file: number | undefined;
  #end = 0;

  /**
   * @param directory where the file lies, or above it as far as there is one
   * @param memoryBytes as much of the data is kept in memory before the file is used
   */
  constructor(directory: string, memoryBytes = IN_MEMORY_BYTES) {
    this.#directory = directory;
    this.memoryBytes = memoryBytes;
  }

  /** Sets room aside: where it begins. */
  reserve(sizeBytes: number): number {
    this.#end += sizeBytes;
    return this.#end - sizeBytes;
  }

  /** Adds what an array holds: where it begins. @throws {StorageError} when the disk refuses */
  add(array: Numbers): number {
    const at = this.reserve(array.byteLength);
    this.write(array, at);
    return at;
  }

  /** Writes what an array holds at a place that was set aside. @throws {StorageError} when the disk refuses */
  write(array: Numbers, at: number): void {
    try {
      this.#file ??= this.#open();
      for (let done = 0; done < array.byteLength; )
        done += writeSync(this.#file, array, done, array.byteLength - done, at + done);
    } catch (error) {
      throw storageError(this.#path || this.#directory, error);
    }
  }

  /** Fills an array with what was written at a place. @throws {StorageError} when the disk refuses */
  read(array: Numbers, at: number): void {
    try {
      if (this.#file === undefined) throw new RangeError('nothing was written yet');
      for (let done = 0; done < array.byteLength; ) {
        const read = readSync(this.#file, array, done, array.byteLength - done, at + done);
        if (read === 0) throw new RangeError('the scratch file is shorter than what was written');
        done += read;
      }
    } catch (error) {
      throw storageError(this.#path, error);
    }
  }

  /** Gives the room back. */
  close(): void {
    if (this.#file === undefined) return;
    closeSync(this.#file);
    // Where an open file could not be taken away.
    rmSync(this.#path, { force: true });
    this.#file = undefined;
  }

  #open(): number {
    let directory = this.#directory;
    while (!existsSync(directory) && dirname(directory) !== directory) directory = dirname(directory);
    this.#path = temporaryName(join(directory, 'scratch'));
    const file = openSync(this.#path, 'wx+', 0o600);
    try {
      // A killed process leaves nothing.
      rmSync(this.#path);
    } catch {
      // Some systems keep a file as long as it is open.
    }
    return file;
  }
}
