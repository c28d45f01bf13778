/** Writing an npz whose arrays come in pieces: not compressed, the same bytes as of one that is in memory; zip64 beyond 4 GB. */
import type { FileHandle } from 'node:fs/promises';
import { crc32 } from 'node:zlib';
import { sizeOf } from '../../../core/weights.js';
import { type ExampleDtype, VALUE_ARRAYS } from '../../../federation/examples.js';
import { writeFileAtomicBy } from '../../files/atomic-file.js';
import { encodeNpyHead } from '../npy.js';
import { ELSEWHERE, type EntryFacts, zipFormat } from './zip-records.js';

/** An array whose values come in pieces. */
export interface ArrayInPieces {
  readonly name: string;
  readonly dtype: ExampleDtype;
  readonly shape: readonly number[];
  pieces(): Iterable<ArrayBufferView> | AsyncIterable<ArrayBufferView>;
}

/**
 * Writes an npz atomically.
 *
 * @param largeFrom numbers from this one on stand in the fields of zip64
 * @returns how many bytes it takes
 * @throws {StorageError} when the disk refuses; what `pieces` throws
 */
export async function writeNpzInPieces(
  path: string,
  arrays: readonly ArrayInPieces[],
  largeFrom = ELSEWHERE,
): Promise<number> {
  const format = zipFormat(largeFrom);
  let sizeBytes = 0;
  await writeFileAtomicBy(path, async (file) => {
    const entries: EntryFacts[] = [];
    for (const array of arrays) {
      const entry = await writeEntry(file, array, { offset: sizeBytes, format });
      entries.push(entry);
      sizeBytes += format.localHeader(entry).length + entry.sizeBytes;
    }
    const directory = format.directory(entries, sizeBytes);
    await writeAll(file, directory, sizeBytes);
    sizeBytes += directory.length;
  });
  return sizeBytes;
}

interface EntryPlace {
  readonly offset: number;
  readonly format: ReturnType<typeof zipFormat>;
}

async function writeEntry(
  file: FileHandle,
  array: ArrayInPieces,
  { offset, format: { localHeader } }: EntryPlace,
): Promise<EntryFacts> {
  const { name, dtype, shape } = array;
  const head = encodeNpyHead(dtype, shape);
  const sizeBytes = head.length + sizeOf(shape) * VALUE_ARRAYS[dtype].BYTES_PER_ELEMENT;
  const unfinished = { name: `${name}.npy`, sizeBytes, crc: 0, offset };
  let at = offset + localHeader(unfinished).length;
  const end = at + sizeBytes;
  let crc = 0;
  const write = async (piece: ArrayBufferView) => {
    const bytes = new Uint8Array(piece.buffer, piece.byteOffset, piece.byteLength);
    // The checksum of no bytes is 0, whatever came before.
    if (bytes.length > 0) crc = crc32(bytes, crc);
    await writeAll(file, bytes, at);
    at += bytes.length;
  };
  await write(head);
  for await (const piece of array.pieces()) await write(piece);
  if (at !== end) throw new RangeError(`array ${name} came to ${at - offset} bytes, not ${sizeBytes}`);
  // The header holds the checksum, which is known now.
  const entry = { ...unfinished, crc };
  await writeAll(file, localHeader(entry), offset);
  return entry;
}

async function writeAll(file: FileHandle, bytes: Uint8Array, at: number): Promise<void> {
  for (let done = 0; done < bytes.length; )
    done += (await file.write(bytes, done, bytes.length - done, at + done)).bytesWritten;
}
