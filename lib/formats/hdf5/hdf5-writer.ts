/** Writing HDF5: the same calls give the same bytes, whenever and wherever. */
import type { File as Hdf5File } from 'h5wasm';
import { UsageError } from '../../core/errors.js';
import { sizeOf } from '../../core/weights.js';
import {
  type Backing,
  type Hdf5Library,
  LARGE_ARRAY_BYTES,
  loadLibrary,
  withMemory,
  withVirtualFile,
} from './hdf5-library.js';

/** HDF5 keeps an attribute inside an object header message, whose length has 16 bits; Keras splits at the same size. */
export const MAX_INLINE_ATTRIBUTE_BYTES = 64512;

/** More than names, attributes and the tables of groups take in most files. */
const HEADER_BYTES = 1 << 17;
/** Largest array that the library makes room for: it counts in 32 bits, and writes half as much at once. */
const MAX_ARRAY_BYTES = 2 ** 31 - 1;

/** An array to be written, of numbers that are there. */
interface WrittenArray {
  readonly shape: readonly number[];
  readonly values: Float32Array | Float64Array;
}

/** Where the bytes of a file go. */
export interface ByteTarget {
  /** Writes `bytes` at a place, perhaps behind the end of what was written. @throws what the system says */
  write(bytes: Uint8Array, at: number): void;
  /** Gives back what was written there. */
  read(into: Uint8Array, at: number): number;
  resize(sizeBytes: number): void;
}

/** What can be put into a new HDF5 file. Paths begin with `/`; the parent groups must exist. */
export interface Hdf5Writer {
  group(path: string): void;
  /** A value that takes time to find may be found where it is written: files are measured first, and values are not. */
  text(path: string, name: string, value: string | (() => string)): void;
  /** At most {@link MAX_INLINE_ATTRIBUTE_BYTES} in UTF-8, each entry counted as long as the longest. */
  texts(path: string, name: string, values: readonly string[]): void;
  integer(path: string, name: string, value: number): void;
  floats(path: string, array: WrittenArray): void;
  /**
   * Makes room for an array of float32 that is written later: where its numbers begin in the file; undefined for a small
   * one, which has to be written at once.
   */
  room(path: string, shape: readonly number[]): number | undefined;
  bytes(path: string, values: Uint8Array): void;
}

/** The bytes of a new HDF5 file as `build` fills it, which is called twice: the same calls give the same bytes, whenever and wherever. */
export async function writeHdf5(build: (hdf5: Hdf5Writer) => void): Promise<Uint8Array> {
  let bytes = new Uint8Array(arrayBytes(build) + HEADER_BYTES);
  let end = 0;
  const reach = (sizeBytes: number) => {
    if (sizeBytes > bytes.length) {
      const more = new Uint8Array(Math.ceil(1.5 * sizeBytes));
      more.set(bytes.subarray(0, end));
      bytes = more;
    }
    end = Math.max(end, sizeBytes);
  };
  await writeHdf5To(
    {
      write(part, at) {
        reach(at + part.length);
        bytes.set(part, at);
      },
      read(into, at) {
        const part = bytes.subarray(at, Math.min(end, at + into.length));
        into.set(part);
        return part.length;
      },
      resize(sizeBytes) {
        reach(sizeBytes);
        end = sizeBytes;
      },
    },
    build,
  );
  return bytes.subarray(0, end);
}

/** Writes a new HDF5 file as `build` fills it; what it made {@link Hdf5Writer.room} for is written to `target` afterwards. */
export async function writeHdf5To<T>(target: ByteTarget, build: (hdf5: Hdf5Writer) => T): Promise<T> {
  const library = await loadLibrary();
  const rooms = roomsIn(target);
  return withVirtualFile(
    library,
    (path) =>
      withStoppedClock(() => {
        // The oldest layout is what Keras itself writes: every HDF5 library since 1.0 reads it.
        const file = new library.File(path, 'w', { libver: ['earliest', 'latest'] });
        try {
          return build(createWriter(library, file, { target, rooms }));
        } finally {
          file.close();
        }
      }),
    rooms.backing,
  );
}

/** Makes room for large arrays. */
interface Rooms {
  readonly backing: Backing;
  /** Where the library writes what it is told lies at `pointer` in its memory, when `write` has it write that. */
  roomFor(write: () => void, part: { readonly pointer: number; readonly sizeBytes: number }): number;
}

/**
 * The library has no call that makes room, only one that writes an array out of its memory. It hands a large one to the
 * system as it is: told to write one that is not there, it says where it belongs.
 */
function roomsIn(target: ByteTarget): Rooms {
  let absent: number | undefined;
  let rooms: { readonly at: number; readonly count: number }[] = [];
  return {
    backing: {
      sizeBytes: 0,
      read: target.read,
      write(heap, { pointer, count }, at) {
        if (pointer === absent) rooms.push({ at, count });
        else target.write(new Uint8Array(heap.buffer, pointer, count), at);
      },
      resize: target.resize,
    },
    roomFor(write, { pointer, sizeBytes }) {
      absent = pointer;
      rooms = [];
      try {
        write();
      } finally {
        absent = undefined;
      }
      const [room] = rooms;
      if (rooms.length === 1 && room?.count === sizeBytes) return room.at;
      throw new Error(`HDF5 wrote an array of ${sizeBytes} bytes in ${rooms.length} parts`);
    },
  };
}

/**
 * HDF5 stamps objects with the time of their creation and h5wasm has no switch for it (h5py: `track_times=False`);
 * it asks through `Date.now`, and nothing else runs during a synchronous call.
 */
function withStoppedClock<T>(use: () => T): T {
  const now = Date.now;
  Date.now = () => 0;
  try {
    return use();
  } finally {
    Date.now = now;
  }
}

/** What the arrays of a file come to. */
function arrayBytes(build: (hdf5: Hdf5Writer) => void): number {
  let sizeBytes = 0;
  const pass = () => undefined;
  build({
    ...{ group: pass, text: pass, texts: pass, integer: pass, room: pass },
    floats: (_path, { values }) => {
      sizeBytes += values.byteLength;
    },
    bytes: (_path, values) => {
      sizeBytes += values.byteLength;
    },
  });
  return sizeBytes;
}

interface WriterParts {
  readonly target: ByteTarget;
  readonly rooms: Rooms;
}

function createWriter(library: Hdf5Library, file: Hdf5File, { target, rooms }: WriterParts): Hdf5Writer {
  const { Module } = library;
  const at = (path: string) => (path === '/' ? file : (file.get(path) as Hdf5File));
  const roomFor = (path: string, { shape, type, sizeBytes }: Room): number => {
    if (sizeBytes > MAX_ARRAY_BYTES)
      throw new UsageError(`${path} takes ${sizeBytes} bytes, and an array of a model file at most 2 GiB.`);
    const extents = shape.map(BigInt);
    const metadata = {
      ...library.dtype_to_metadata(type),
      ...{ shape: extents, maxshape: extents, chunks: null, compression: 0, compression_opts: [] },
      track_order: false,
    };
    return withMemory(library, 1, (pointer) =>
      rooms.roomFor(() => Module.create_dataset(file.file_id, path, BigInt(pointer), metadata), {
        pointer,
        sizeBytes,
      }),
    );
  };
  return {
    group: (path) => void file.create_group(path.slice(1)),
    text: (path, name, value) =>
      at(path).create_attribute(name, typeof value === 'string' ? value : value(), [], 'S'),
    texts(path, name, values) {
      if (values.length === 0) {
        // What h5py makes of an empty list, and what Keras therefore expects.
        at(path).create_attribute(name, new Float64Array(0), [0]);
        return;
      }
      const longest = Math.max(...values.map((value) => Buffer.byteLength(value)));
      at(path).create_attribute(name, [...values], [values.length], `A${longest + 1}`);
    },
    integer: (path, name, value) => at(path).create_attribute(name, [value], [], '<q'),
    floats(path, { shape, values }) {
      const { byteLength: sizeBytes, buffer, byteOffset } = values;
      if (sizeBytes < LARGE_ARRAY_BYTES) {
        file.create_dataset({ name: path.slice(1), data: values, shape: [...shape] });
        return;
      }
      const type = values instanceof Float64Array ? '<d' : '<f';
      target.write(new Uint8Array(buffer, byteOffset, sizeBytes), roomFor(path, { shape, type, sizeBytes }));
    },
    room(path, shape) {
      const sizeBytes = Float32Array.BYTES_PER_ELEMENT * sizeOf(shape);
      return sizeBytes < LARGE_ARRAY_BYTES ? undefined : roomFor(path, { shape, type: '<f', sizeBytes });
    },
    bytes: (path, values) => void file.create_dataset({ name: path.slice(1), data: values }),
  };
}

/** Room for an array. */
interface Room {
  readonly shape: readonly number[];
  readonly type: '<f' | '<d';
  readonly sizeBytes: number;
}
