/**
 * A guard before HDF5 sees a file: its library (1.14 and 2.0) walks the objects of a global heap, where texts of
 * variable length lie, without end when one of them is damaged so that the step to the next is 0.
 *
 * Layout: HDF5 File Format Specification 3.0, III.E "Disk Format: Level 1E - Global Heap".
 */
import type { ByteSource } from '../files/byte-source.js';

const SIGNATURE = Buffer.from('GCOL\x01\0\0\0', 'latin1');
/** Signature, version, reserved bytes, size of the collection. */
const HEADER_BYTES = 16;
/** Index, reference count, reserved bytes, size of the object. */
const OBJECT_HEADER_BYTES = 16;
/** So much of the file is looked at together. */
const WINDOW_BYTES = 1 << 20;
/** More objects than the texts of any model: heaps that lie in each other could be walked through without end, too. */
const MAX_OBJECTS = 1 << 24;

/** What there is to know of a file's global heaps before the library sees them. */
export interface HeapFacts {
  /** Whether the library would never come back from one of them. */
  readonly isEndless: boolean;
  /** Size of the largest object: many texts may all be the one that lies there. */
  readonly largestBytes: number;
}

/** Walks through all global heaps of a file. */
export function inspectHeaps(file: ByteSource): HeapFacts {
  const [search, walk] = [windowOn(file), windowOn(file)];
  const facts = { largestBytes: 0, objects: 0 };
  for (let from = 0; from + HEADER_BYTES <= file.sizeBytes; from += WINDOW_BYTES - SIGNATURE.length + 1) {
    const part = search(from);
    for (let at = part.indexOf(SIGNATURE); at >= 0; at = part.indexOf(SIGNATURE, at + 1)) {
      if (isEndless(walk, from + at, facts)) return { ...facts, isEndless: true };
    }
  }
  return { ...facts, isEndless: false };
}

/** Gives what a file holds from a place on: a window's length of it, less at its end. */
type Window = (at: number) => Buffer;

function windowOn(file: ByteSource): Window {
  const buffer = Buffer.alloc(Math.min(WINDOW_BYTES, file.sizeBytes));
  return (at) => buffer.subarray(0, file.read(buffer, at));
}

/** Walks through one heap. */
function isEndless(window: Window, start: number, facts: { largestBytes: number; objects: number }): boolean {
  let [part, from] = [window(start), start];
  /** The place of `count` bytes in the window; undefined behind the end of the file. */
  const within = (at: number, count: number): number | undefined => {
    if (at - from + count > part.length) [part, from] = [window(at), at];
    return at - from + count > part.length ? undefined : at - from;
  };
  const header = within(start, HEADER_BYTES);
  if (header === undefined) return false;
  const end = start + Number(part.readBigUInt64LE(header + 8));
  let at = start + HEADER_BYTES;
  while (at + OBJECT_HEADER_BYTES <= end) {
    const place = within(at, OBJECT_HEADER_BYTES);
    if (place === undefined) return false;
    const isFreeSpace = part.readUInt16LE(place) === 0;
    const size = Number(part.readBigUInt64LE(place + 8));
    // The size of free space counts its header, that of an object does not; objects are padded to 8 bytes.
    const step = isFreeSpace ? size : OBJECT_HEADER_BYTES + Math.ceil(size / 8) * 8;
    // The library counts in 32 bits under WebAssembly, where a larger step can wrap around to 0.
    if (step === 0 || step >= 2 ** 32 || ++facts.objects > MAX_OBJECTS) return true;
    if (!isFreeSpace) facts.largestBytes = Math.max(facts.largestBytes, size);
    at += step;
  }
  return false;
}
