/** Reading HDF5: what a model file needs of it, with every surprise told as a DataError. */
import type { File as Hdf5File, Metadata } from 'h5wasm';
import { DataError, messageOf } from '../../core/errors.js';
import { errorCode } from '../../core/system-errors.js';
import { formatShape, sizeOf } from '../../core/weights.js';
import { type ByteSource, memorySource } from '../files/byte-source.js';
import { inflateBudget, MAX_EXPANSION, SMALL_BYTES } from '../files/read-file.js';
import { decodeFloats, type FloatBytes } from './float-bytes.js';
import { guardHeaps } from './hdf5-global-heap.js';
import {
  type Backing,
  type Hdf5Library,
  LARGE_ARRAY_BYTES,
  loadLibrary,
  withLittleGrowth,
  withMemory,
  withVirtualFile,
} from './hdf5-library.js';

/** Largest array that the library reads: its memory ends at 2 GiB and has to hold the file's chunks beside it. */
const MAX_ARRAY_BYTES = 1 << 30;
/** Largest attribute that is read; Keras' longest, a model's architecture, lies outside as one text. */
const MAX_ATTRIBUTE_BYTES = 1 << 20;
/** What the texts of one attribute can come to at most, whose entries may all be the same long text of the file. */
const MAX_TEXTS_BYTES = 1 << 28;

/** What can be asked of an open HDF5 file. Paths begin with `/`. */
export interface Hdf5Reader {
  /** Kind of the object at `path`, or null where there is none. */
  kind(path: string): 'group' | 'dataset' | null;
  /** Names of the attributes of the object at `path`. */
  attributeNames(path: string): readonly string[];
  /** A text attribute, byte or str, fixed or variable length. @throws {DataError} when it is no single text. */
  text(path: string, name: string): string;
  /** A list of texts, or null where no such attribute is. @throws {DataError} when it is something else. */
  texts(path: string, name: string): readonly string[] | null;
  /** A whole number. @throws {DataError} when it is something else. */
  integer(path: string, name: string): number;
  /** An array of one of `types`, whose numbers are not read yet. @throws {DataError} for another type, or where there is none. */
  array(path: string, types: readonly FloatBytes[]): UnreadArray;
  /** The same, read: as float32, row-major. @throws {DataError} likewise */
  floats(path: string, types: readonly FloatBytes[]): StoredArray<Float32Array>;
  /** So many float64. @throws {DataError} for another type or number, or where there is none. */
  doubles(path: string, length: number): Float64Array;
  /** An array of uint8. @throws {DataError} likewise */
  bytes(path: string): Uint8Array;
}

/** An array of a file, row-major. */
interface StoredArray<A> {
  readonly shape: readonly number[];
  readonly values: A;
}

/** An array of a file of which only the facts are known. */
export interface UnreadArray {
  readonly shape: readonly number[];
  /** Whether its numbers lie in the file as they are, one after the other: not in chunks, which may be compressed. */
  readonly isPlain: boolean;
  /** Its numbers as float32, row-major. @throws {DataError} when they are damaged, or more than such a file may hold */
  read(): Float32Array;
  /** Where its numbers begin in the file, if they lie there as float32 of this machine, row-major; undefined otherwise. */
  place(): number | undefined;
}

/**
 * Opens bytes as HDF5 for the time of `use`. `name` is what error messages call the file.
 *
 * @throws {DataError} when the bytes are damaged; what `use` throws passes through, and what the system says of a file.
 */
export async function readHdf5<T>(
  from: ByteSource | Uint8Array,
  name: string,
  use: (hdf5: Hdf5Reader) => T,
): Promise<T> {
  const source = from instanceof Uint8Array ? memorySource(from) : from;
  const library = await loadLibrary();
  const watched = watch(source, name);
  return withVirtualFile(
    library,
    (path) => {
      try {
        const file = new library.File(path, 'r');
        try {
          const budgetBytes = inflateBudget(source.sizeBytes);
          return use(createReader(library, file, { name, budgetBytes, watched }));
        } finally {
          file.close();
        }
      } catch (error) {
        if (error instanceof DataError || errorCode(error) !== '') throw error;
        throw new DataError(
          { file: name, expected: 'an HDF5 file', found: describeFault(error) },
          { cause: error },
        );
      }
    },
    watched,
  );
}

/** What the library is let see of a source. */
interface Watched extends Backing {
  readonly source: ByteSource;
  /** Bytes of the longest text of variable length. */
  longestText(): number;
  /** Where the file has what `read` puts at `pointer`, if that is `sizeBytes` in one piece. */
  placeOf(
    read: () => void,
    part: { readonly pointer: number; readonly sizeBytes: number },
  ): number | undefined;
}

function watch(source: ByteSource, file: string): Watched {
  const heaps = guardHeaps(source);
  let seen: ((into: Uint8Array, at: number) => void) | undefined;
  return {
    source,
    sizeBytes: source.sizeBytes,
    longestText: heaps.largestBytes,
    read(into, at) {
      seen?.(into, at);
      if (!heaps.isEndless(at, into.length)) return source.read(into, at);
      const found = 'a damaged file (a broken global heap)';
      throw new DataError({ file, expected: 'an HDF5 file', found });
    },
    placeOf(use, part) {
      let place: number | undefined;
      seen = ({ byteOffset, length }, at) => {
        if (byteOffset === part.pointer && length === part.sizeBytes) place = at;
      };
      try {
        use();
      } finally {
        seen = undefined;
      }
      return place;
    },
  };
}

interface Opened {
  readonly name: string;
  /** What all arrays that are read may come to. */
  readonly budgetBytes: number;
  readonly watched: Watched;
}

function createReader(
  library: Hdf5Library,
  file: Hdf5File,
  { name, budgetBytes, watched }: Opened,
): Hdf5Reader {
  const { Module } = library;
  let leftBytes = budgetBytes;
  const id = file.file_id;
  const where = (path: string, attribute: string) => `attribute "${attribute}" of ${path}`;
  const attributeNames = new Map<string, readonly string[]>();

  const kind = (path: string) => {
    const type = Module.get_type(id, path);
    if (type === Module.H5G_GROUP) return 'group';
    return type === Module.H5G_DATASET ? 'dataset' : null;
  };
  const names = (path: string) => {
    const known = attributeNames.get(path) ?? (Module.get_attribute_names(id, path) as string[]);
    attributeNames.set(path, known);
    return known;
  };
  const strings = (path: string, attribute: string, expected: string): readonly string[] | null => {
    let metadata: Metadata;
    try {
      metadata = Module.get_attribute_metadata(id, path, attribute);
    } catch (error) {
      // Asking first would cost as much again for each of a model's layers.
      if (kind(path) !== null && names(path).includes(attribute)) throw error;
      return null;
    }
    // h5py stores an empty list as an empty array of float64.
    if (metadata.shape === null || metadata.total_size === 0) return [];
    const sizeBytes = metadata.size * metadata.total_size;
    if (metadata.type !== Module.H5T_class_t.H5T_STRING.value || sizeBytes > MAX_ATTRIBUTE_BYTES) {
      const found = `${sizeBytes} bytes of ${describeType(library, metadata)}`;
      throw new DataError({ file: name, expected: `${expected} in ${where(path, attribute)}`, found });
    }
    const longestText = metadata.vlen && metadata.total_size > 1 ? watched.longestText() : 0;
    if (metadata.total_size * longestText > MAX_TEXTS_BYTES) {
      const found = `${metadata.total_size} texts beside one of ${longestText} bytes`;
      throw new DataError({ file: name, expected: `${expected} in ${where(path, attribute)}`, found });
    }
    return withMemory(library, sizeBytes, (pointer) => {
      withLittleGrowth(library, SMALL_BYTES + 2 * watched.sizeBytes, () =>
        Module.get_attribute_data(id, path, attribute, BigInt(pointer)),
      );
      const bytes = Module.HEAPU8.slice(pointer, pointer + sizeBytes);
      if (!metadata.vlen) return splitFixed(bytes, metadata);
      const texts = Array.from(new Uint32Array(bytes.buffer), (text) => Module.UTF8ToString(text));
      Module.reclaim_vlen_memory(id, path, attribute, BigInt(pointer));
      return texts;
    });
  };

  const datasetMetadata = (path: string): Metadata => {
    try {
      return Module.get_dataset_metadata(id, path);
    } catch (error) {
      const found = kind(path);
      if (found === 'dataset') throw error;
      throw new DataError(
        { file: name, expected: `an array at ${path}`, found: found ?? 'none' },
        { cause: error },
      );
    }
  };

  const arrayAt = (path: string, expected: string, isExpected: (metadata: Metadata) => boolean) => {
    const metadata = datasetMetadata(path);
    const { shape } = metadata;
    if (shape === null || !isExpected(metadata)) {
      throw new DataError({
        file: name,
        expected: `an array of ${expected} at ${path}`,
        found: shape === null ? 'an empty dataset' : describeType(library, metadata),
      });
    }
    return { metadata, shape: [...shape] };
  };
  const readArray = (path: string, metadata: Metadata): Uint8Array<ArrayBuffer> => {
    const { size, shape, chunks } = metadata;
    const sizeBytes = size * sizeOf(shape ?? []);
    // A chunk is inflated whole, however little of it the array has.
    const neededBytes = Math.max(sizeBytes, chunks === null ? 0 : size * sizeOf(chunks));
    if (neededBytes > leftBytes) {
      throw new DataError({
        file: name,
        expected: `arrays of at most ${SMALL_BYTES / 1e6} MB or ${MAX_EXPANSION} times the file`,
        found: `more at ${path}, of shape ${formatShape(shape ?? [])}`,
      });
    }
    leftBytes -= sizeBytes;
    const place = placeOf(path, metadata);
    if (place !== undefined) {
      const values = new Uint8Array(sizeBytes);
      watched.source.read(values, place);
      return values;
    }
    if (sizeBytes > MAX_ARRAY_BYTES) {
      throw new DataError({
        file: name,
        expected: `at most ${MAX_ARRAY_BYTES} bytes at ${path}`,
        found: `${sizeBytes} bytes`,
      });
    }
    return withMemory(library, sizeBytes, (pointer) => {
      Module.get_dataset_data(id, path, null, null, null, BigInt(pointer));
      return Module.HEAPU8.slice(pointer, pointer + sizeBytes);
    });
  };
  /**
   * Where the numbers of a large array begin, if they lie in the file one after the other. The library does not tell that, but
   * it reads the first of them from there: what it never has in its memory, which it gives back to nobody, is the rest.
   */
  const placeOf = (path: string, metadata: Metadata): number | undefined => {
    const { size, shape, littleEndian } = metadata;
    const sizeBytes = size * sizeOf(shape ?? []);
    if (!isContiguous(metadata) || !littleEndian || sizeBytes < LARGE_ARRAY_BYTES) return undefined;
    const extents = leadingBox(shape ?? [], LARGE_ARRAY_BYTES / size);
    const boxBytes = size * sizeOf(extents);
    const [count, zeros, ones] = [extents.map(BigInt), extents.map(() => 0n), extents.map(() => 1n)];
    const place = withMemory(library, boxBytes, (pointer) =>
      watched.placeOf(() => Module.get_dataset_data(id, path, count, zeros, ones, BigInt(pointer)), {
        pointer,
        sizeBytes: boxBytes,
      }),
    );
    return place !== undefined && place + sizeBytes <= watched.sizeBytes ? place : undefined;
  };

  const array = (path: string, types: readonly FloatBytes[]): UnreadArray => {
    const { metadata, shape } = arrayAt(path, types.join(', '), (found) => {
      const format = floatFormat(library, found);
      return format !== null && types.includes(format);
    });
    const format = floatFormat(library, metadata) as FloatBytes;
    return {
      shape,
      isPlain: isContiguous(metadata),
      place: () => (format === 'float32' ? placeOf(path, metadata) : undefined),
      read: () => decodeFloats(readArray(path, metadata), format, { file: name, array: path }),
    };
  };

  return {
    kind,
    attributeNames: names,
    texts: (path, attribute) => strings(path, attribute, 'a list of texts'),
    text(path, attribute) {
      const [text, ...more] = strings(path, attribute, 'a text') ?? [];
      if (text !== undefined && more.length === 0) return text;
      const found = text === undefined ? 'nothing' : `${more.length + 1} texts`;
      throw new DataError({ file: name, expected: `a text in ${where(path, attribute)}`, found });
    },
    integer(path, attribute) {
      const { type, size, total_size: count } = Module.get_attribute_metadata(id, path, attribute);
      if (type === Module.H5T_class_t.H5T_INTEGER.value && size === 8 && count === 1) {
        const value = withMemory(library, size, (pointer) => {
          Module.get_attribute_data(id, path, attribute, BigInt(pointer));
          return Number(new DataView(Module.HEAPU8.buffer, pointer, size).getBigInt64(0, true));
        });
        if (Number.isSafeInteger(value)) return value;
      }
      const expected = `a whole number of 64 bits in ${where(path, attribute)}`;
      throw new DataError({ file: name, expected, found: 'something else' });
    },
    array,
    floats(path, types) {
      const { shape, read } = array(path, types);
      return { shape, values: read() };
    },
    doubles(path, length) {
      const isDouble = (found: Metadata) => floatFormat(library, found) === 'float64';
      const { metadata, shape } = arrayAt(path, 'float64', isDouble);
      if (sizeOf(shape) !== length) {
        throw new DataError({
          file: name,
          expected: `${length} numbers at ${path}`,
          found: `${sizeOf(shape)}`,
        });
      }
      return new Float64Array(readArray(path, metadata).buffer);
    },
    bytes(path) {
      const isByte = ({ type, size }: Metadata) =>
        type === Module.H5T_class_t.H5T_INTEGER.value && size === 1;
      return readArray(path, arrayAt(path, 'uint8', isByte).metadata);
    },
  };
}

/** Whether an array's numbers lie one after the other: not in chunks, nor in other arrays. */
const isContiguous = ({ chunks, virtual_sources: others }: Metadata) =>
  chunks === null && others === undefined;

/** The extents of the first elements of an array, one after the other and at least so many: all of a smaller array. */
function leadingBox(shape: readonly number[], atLeast: number): readonly number[] {
  const box = shape.map(() => 1);
  let inner = 1;
  for (let axis = shape.length - 1; axis >= 0 && inner < atLeast; axis--) {
    const extent = shape[axis] as number;
    box[axis] = Math.min(extent, Math.ceil(atLeast / inner));
    inner *= extent;
  }
  return box;
}

/** Cuts fixed-length strings apart and drops their padding. Always UTF-8: Keras marks UTF-8 bytes as ASCII. */
function splitFixed(bytes: Uint8Array, { size }: Metadata): readonly string[] {
  const decoder = new TextDecoder();
  return Array.from({ length: bytes.length / size }, (_, index) => {
    const field = bytes.subarray(index * size, (index + 1) * size);
    const end = field.indexOf(0);
    return decoder.decode(end < 0 ? field : field.subarray(0, end)).trimEnd();
  });
}

function floatFormat(library: Hdf5Library, metadata: Metadata): FloatBytes | null {
  const { H5T_FLOAT, H5T_INTEGER } = library.Module.H5T_class_t;
  if (metadata.type === H5T_INTEGER.value && metadata.size === 8) return 'int64';
  if (metadata.type !== H5T_FLOAT.value) return null;
  if (metadata.size === 2) return 'float16';
  if (metadata.size === 4) return 'float32';
  return metadata.size === 8 ? 'float64' : null;
}

function describeType(library: Hdf5Library, metadata: Metadata): string {
  // An Embind enumeration carries some entries that are no members of it.
  const classes = Object.entries(library.Module.H5T_class_t) as [string, { value?: number } | undefined][];
  const name = classes.find(([, member]) => member?.value === metadata.type)?.[0] ?? 'H5T_NO_CLASS';
  return `${metadata.size * 8}-bit elements of type ${name}`;
}

/** What HDF5's error stack says, in a few words; the whole of it stays in the error's cause. */
function describeFault(error: unknown): string {
  const message = messageOf(error);
  const truncated = /truncated file: eof = (\d+).*stored_eof = (\d+)/.exec(message);
  if (truncated) return `a truncated file of ${truncated[1]} bytes, of which there should be ${truncated[2]}`;
  // The last frame of the stack is the innermost, where the fault was noticed.
  const innermost = [...message.matchAll(/line \d+ in \w+\(\): (.*)/g)].at(-1)?.[1];
  return `a damaged file (${innermost ?? message.split('\n')[0]})`;
}
