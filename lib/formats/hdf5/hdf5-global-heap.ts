/**
 * A guard between HDF5 and a file: its library (1.14 and 2.0) walks the objects of a global heap, where texts of variable
 * length lie, without end when one of them is damaged so that the step to the next is 0.
 *
 * Layout: HDF5 File Format Specification 3.0, III.E "Disk Format: Level 1E - Global Heap".
 */
import type { ByteSource } from '../files/byte-source.js';

const SIGNATURE = Buffer.from('GCOL\x01\0\0\0', 'latin1');
/** Signature, version, reserved bytes, size of the collection. */
const HEADER_BYTES = 16;
/** Index, reference count, reserved bytes, size of the object. */
const OBJECT_HEADER_BYTES = 16;
/** So much of the file is searched at once, and so much of a heap read: the size of most. */
const [WINDOW_BYTES, HEAP_BYTES] = [1 << 16, 1 << 12];
/** More heaps than any model has: that they lie in each other must not make many long walks of few bytes. */
const MAX_HEAPS = 1 << 16;
/** More objects than the texts of any model, likewise. */
const MAX_OBJECTS = 1 << 24;

/** Looks at a file's global heaps before the library sees them. */
interface HeapGuard {
  /** Whether the library would never come back from one of the heaps of which it is about to read something at `at`. */
  isEndless(at: number, count: number): boolean;
  /** Size of the largest object of all heaps: many texts may all be the one that lies there. */
  largestBytes(): number;
}

/** A guard of a file. What is never read costs nothing. */
export function guardHeaps(file: ByteSource): HeapGuard {
  const window = Buffer.alloc(Math.min(WINDOW_BYTES, file.sizeBytes));
  const heap = Buffer.alloc(Math.min(HEAP_BYTES, file.sizeBytes));
  const seen = new Set<number>();
  const facts = { largestBytes: 0, objects: 0 };
  /** Whether one of the heaps that begin in a part of the file is endless. */
  const look = (start: number, end: number): boolean => {
    for (let from = start; from < end; from += WINDOW_BYTES - SIGNATURE.length + 1) {
      const count = file.read(window.subarray(0, end + SIGNATURE.length - 1 - from), from);
      const part = window.subarray(0, count);
      for (let at = part.indexOf(SIGNATURE); at >= 0; at = part.indexOf(SIGNATURE, at + 1)) {
        if (seen.has(from + at)) continue;
        seen.add(from + at);
        if (seen.size > MAX_HEAPS || isEndless({ file, window: heap }, from + at, facts)) return true;
      }
    }
    return false;
  };
  return {
    isEndless: (at, count) => look(Math.max(0, at - SIGNATURE.length + 1), at + count),
    largestBytes: () => (look(0, file.sizeBytes) ? Infinity : facts.largestBytes),
  };
}

/** Walks through one heap. */
function isEndless(
  { file, window }: { readonly file: ByteSource; readonly window: Buffer },
  start: number,
  facts: { largestBytes: number; objects: number },
): boolean {
  let [from, filled] = [start, 0];
  /** The place of `count` bytes in the window; undefined behind the end of the file. */
  const within = (at: number, count: number): number | undefined => {
    if (at - from + count > filled) [from, filled] = [at, file.read(window, at)];
    return at - from + count > filled ? undefined : at - from;
  };
  const header = within(start, HEADER_BYTES);
  if (header === undefined) return false;
  const end = start + Number(window.readBigUInt64LE(header + 8));
  let at = start + HEADER_BYTES;
  while (at + OBJECT_HEADER_BYTES <= end) {
    const place = within(at, OBJECT_HEADER_BYTES);
    if (place === undefined) return false;
    const isFreeSpace = window.readUInt16LE(place) === 0;
    const size = Number(window.readBigUInt64LE(place + 8));
    // The size of free space counts its header, that of an object does not; objects are padded to 8 bytes.
    const step = isFreeSpace ? size : OBJECT_HEADER_BYTES + Math.ceil(size / 8) * 8;
    // The library counts in 32 bits under WebAssembly, where a larger step can wrap around to 0.
    if (step === 0 || step >= 2 ** 32 || ++facts.objects > MAX_OBJECTS) return true;
    if (!isFreeSpace) facts.largestBytes = Math.max(facts.largestBytes, size);
    at += step;
  }
  return false;
}
