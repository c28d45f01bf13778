/**
 * A guard before HDF5 sees a file: its library (1.14 and 2.0) walks the objects of a global heap, where texts of
 * variable length lie, without end when one of them is damaged so that the step to the next is 0.
 *
 * Layout: HDF5 File Format Specification 3.0, III.E "Disk Format: Level 1E - Global Heap".
 */

const SIGNATURE = Buffer.from('GCOL\x01\0\0\0', 'latin1');
/** Signature, version, reserved bytes, size of the collection. */
const HEADER_BYTES = 16;
/** Index, reference count, reserved bytes, size of the object. */
const OBJECT_HEADER_BYTES = 16;

/** What there is to know of a file's global heaps before the library sees them. */
interface HeapFacts {
  /** Whether the library would never come back from one of them. */
  readonly isEndless: boolean;
  /** Size of the largest object: many texts may all be the one that lies there. */
  readonly largestBytes: number;
}

/** Walks through all global heaps of a file. */
export function inspectHeaps(bytes: Uint8Array): HeapFacts {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let largestBytes = 0;
  for (let at = file.indexOf(SIGNATURE); at >= 0; at = file.indexOf(SIGNATURE, at + 1)) {
    const heap = inspectHeap(file, at);
    if (heap.isEndless) return heap;
    largestBytes = Math.max(largestBytes, heap.largestBytes);
  }
  return { isEndless: false, largestBytes };
}

function inspectHeap(file: Buffer, start: number): HeapFacts {
  let largestBytes = 0;
  if (start + HEADER_BYTES > file.length) return { isEndless: false, largestBytes };
  const end = start + Number(file.readBigUInt64LE(start + 8));
  let at = start + HEADER_BYTES;
  while (at + OBJECT_HEADER_BYTES <= Math.min(end, file.length)) {
    const isFreeSpace = file.readUInt16LE(at) === 0;
    const size = Number(file.readBigUInt64LE(at + 8));
    // The size of free space counts its header, that of an object does not; objects are padded to 8 bytes.
    const step = isFreeSpace ? size : OBJECT_HEADER_BYTES + Math.ceil(size / 8) * 8;
    // The library counts in 32 bits under WebAssembly, where a larger step can wrap around to 0.
    if (step === 0 || step >= 2 ** 32) return { isEndless: true, largestBytes };
    if (!isFreeSpace) largestBytes = Math.max(largestBytes, size);
    at += step;
  }
  return { isEndless: false, largestBytes };
}
