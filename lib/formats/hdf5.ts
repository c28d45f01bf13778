/** HDF5 through h5wasm: bytes in, bytes out, nothing left behind in the library's virtual file system. */
import type { File as Hdf5File, Metadata } from 'h5wasm';
import { DataError } from '../federation/errors.js';
import { sizeOf } from '../federation/weights.js';
import { decodeFloats, type FloatBytes } from './float-bytes.js';

/** The h5wasm module, compiled on first use (about 0.1 s) so that programs that read no model do not pay for it. */
type Library = typeof import('h5wasm') & {
  readonly Module: {
    readonly FS: VirtualFiles;
    _malloc(sizeBytes: number): number;
    _free(pointer: number): void;
  };
};

/** The part that we use of Emscripten's in-memory file system. */
interface VirtualFiles {
  readonly streams: readonly ({ readonly fd: number } | null | undefined)[];
  readFile(path: string): Uint8Array;
  writeFile(path: string, bytes: Uint8Array, options: { readonly canOwn: boolean }): void;
  close(stream: { readonly fd: number }): void;
  unlink(path: string): void;
}

/** Largest array that is read: h5wasm's memory ends at 2 GiB and has to hold the file's chunks beside it. */
const MAX_ARRAY_BYTES = 1 << 30;
/** Largest attribute that is read; Keras' longest, a model's architecture, stays far below. */
const MAX_ATTRIBUTE_BYTES = 64 << 20;
/** HDF5 keeps an attribute inside an object header message, whose length has 16 bits; Keras splits at the same size. */
export const MAX_INLINE_ATTRIBUTE_BYTES = 64512;

/** What can be asked of an open HDF5 file. Paths begin with `/`. */
export interface Hdf5Reader {
  /** Kind of the object at `path`, or null where there is none. */
  kind(path: string): 'group' | 'dataset' | null;
  /** Names of the attributes of the object at `path`. */
  attributeNames(path: string): readonly string[];
  /** A text attribute, byte or str, fixed or variable length. @throws {DataError} when it is no single text. */
  text(path: string, name: string): string;
  /** A list of texts, possibly empty. @throws {DataError} when it is something else. */
  texts(path: string, name: string): readonly string[];
  /** A whole number. @throws {DataError} when it is something else. */
  integer(path: string, name: string): number;
  /** An array of float16, float32 or float64 as float32, row-major. @throws {DataError} for anything else. */
  floats(path: string): { readonly shape: readonly number[]; readonly values: Float32Array };
}

/** What can be put into a new HDF5 file. Paths begin with `/`; the parent groups must exist. */
export interface Hdf5Writer {
  group(path: string): void;
  text(path: string, name: string, value: string): void;
  /** At most {@link MAX_INLINE_ATTRIBUTE_BYTES} in UTF-8, each entry counted as long as the longest. */
  texts(path: string, name: string, values: readonly string[]): void;
  integer(path: string, name: string, value: number): void;
  floats(path: string, array: { readonly shape: readonly number[]; readonly values: Float32Array }): void;
}

/**
 * Opens `bytes` as HDF5 for the time of `use`. `name` is what error messages call the file.
 *
 * @throws {DataError} when the bytes are damaged; what `use` throws passes through.
 */
export async function readHdf5<T>(bytes: Uint8Array, name: string, use: (hdf5: Hdf5Reader) => T): Promise<T> {
  const library = await loadLibrary();
  return withVirtualFile(library, (path) => {
    library.Module.FS.writeFile(path, bytes, { canOwn: true });
    try {
      const file = new library.File(path, 'r');
      try {
        return use(createReader(library, file, name));
      } finally {
        file.close();
      }
    } catch (error) {
      if (error instanceof DataError) throw error;
      throw new DataError(
        { file: name, expected: 'an HDF5 file', found: describeFault(error) },
        { cause: error },
      );
    }
  });
}

/** The bytes of a new HDF5 file as `build` fills it: the same calls give the same bytes, whenever and wherever. */
export async function writeHdf5(build: (hdf5: Hdf5Writer) => void): Promise<Uint8Array> {
  const library = await loadLibrary();
  return withVirtualFile(library, (path) =>
    withStoppedClock(() => {
      // The oldest layout is what Keras itself writes: every HDF5 library since 1.0 reads it.
      const file = new library.File(path, 'w', { libver: ['earliest', 'latest'] });
      try {
        build(createWriter(file));
      } finally {
        file.close();
      }
      return library.Module.FS.readFile(path);
    }),
  );
}

let loading: Promise<Library> | undefined;

/**
 * The package's main build keeps its files in memory. Its `/node` build would not: there `/fedbatch-0.h5` is a file
 * on the real disk, which two processes overwrite for each other and a read-only root refuses.
 */
function loadLibrary(): Promise<Library> {
  loading ??= import('h5wasm').then(async (library) => {
    const module = await library.ready;
    module.activate_throwing_error_handler();
    return library as unknown as Library;
  });
  return loading;
}

let virtualFiles = 0;

/** Runs `use` with a fresh path; afterwards neither the file nor a stream that was opened meanwhile is left. */
function withVirtualFile<T>(library: Library, use: (path: string) => T): T {
  const { FS } = library.Module;
  const path = `/fedbatch-${virtualFiles++}.h5`;
  const before = new Set(FS.streams);
  try {
    return use(path);
  } finally {
    // h5wasm's error handler throws out of HDF5, which then keeps open what it was working on.
    for (const stream of FS.streams) if (stream && !before.has(stream)) FS.close(stream);
    try {
      FS.unlink(path);
    } catch {
      // It was never created.
    }
  }
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

function createReader(library: Library, file: Hdf5File, name: string): Hdf5Reader {
  const { Module } = library;
  const id = file.file_id;
  const where = (path: string, attribute: string) => `attribute "${attribute}" of ${path}`;

  const strings = (path: string, attribute: string, expected: string): readonly string[] => {
    const metadata = Module.get_attribute_metadata(id, path, attribute);
    // h5py stores an empty list as an empty array of float64.
    if (metadata.shape === null || metadata.total_size === 0) return [];
    const sizeBytes = metadata.size * metadata.total_size;
    if (metadata.type !== Module.H5T_class_t.H5T_STRING.value || sizeBytes > MAX_ATTRIBUTE_BYTES) {
      throw new DataError({
        file: name,
        expected: `${expected} in ${where(path, attribute)}`,
        found: `${sizeBytes} bytes of another type`,
      });
    }
    return withMemory(library, sizeBytes, (pointer) => {
      Module.get_attribute_data(id, path, attribute, BigInt(pointer));
      const bytes = Module.HEAPU8.slice(pointer, pointer + sizeBytes);
      if (!metadata.vlen) return splitFixed(bytes, metadata);
      const texts = Array.from(new Uint32Array(bytes.buffer), (text) => Module.UTF8ToString(text));
      Module.reclaim_vlen_memory(id, path, attribute, BigInt(pointer));
      return texts;
    });
  };

  return {
    kind(path) {
      const type = Module.get_type(id, path);
      if (type === Module.H5G_GROUP) return 'group';
      return type === Module.H5G_DATASET ? 'dataset' : null;
    },
    attributeNames: (path) => Module.get_attribute_names(id, path),
    texts: (path, attribute) => strings(path, attribute, 'a list of texts'),
    text(path, attribute) {
      const [text, ...more] = strings(path, attribute, 'a text');
      if (text !== undefined && more.length === 0) return text;
      const found = text === undefined ? 'nothing' : `${more.length + 1} texts`;
      throw new DataError({ file: name, expected: `a text in ${where(path, attribute)}`, found });
    },
    integer(path, attribute) {
      const { type, total_size: count } = Module.get_attribute_metadata(id, path, attribute);
      const value =
        count === 1 && type === Module.H5T_class_t.H5T_INTEGER.value
          ? Number([file.get_attribute(attribute, true)].flat()[0])
          : Number.NaN;
      if (Number.isSafeInteger(value)) return value;
      throw new DataError({
        file: name,
        expected: `a whole number in ${where(path, attribute)}`,
        found: 'something else',
      });
    },
    floats(path) {
      const metadata = Module.get_dataset_metadata(id, path);
      const format = floatFormat(library, metadata);
      const { shape } = metadata;
      if (format === null || shape === null) {
        throw new DataError({
          file: name,
          expected: `an array of float16, float32 or float64 at ${path}`,
          found: shape === null ? 'an empty dataset' : describeType(library, metadata),
        });
      }
      const sizeBytes = metadata.size * sizeOf(shape);
      if (sizeBytes > MAX_ARRAY_BYTES) {
        throw new DataError({
          file: name,
          expected: `at most ${MAX_ARRAY_BYTES} bytes at ${path}`,
          found: `${sizeBytes} bytes`,
        });
      }
      const bytes = withMemory(library, sizeBytes, (pointer) => {
        Module.get_dataset_data(id, path, null, null, null, BigInt(pointer));
        return Module.HEAPU8.slice(pointer, pointer + sizeBytes);
      });
      return { shape: [...shape], values: decodeFloats(bytes, format, { file: name, array: path }) };
    },
  };
}

function createWriter(file: Hdf5File): Hdf5Writer {
  const at = (path: string) => (path === '/' ? file : (file.get(path) as Hdf5File));
  return {
    group: (path) => void file.create_group(path.slice(1)),
    text: (path, name, value) => at(path).create_attribute(name, value, [], 'S'),
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
      file.create_dataset({ name: path.slice(1), data: values, shape: [...shape] });
    },
  };
}

function withMemory<T>(library: Library, sizeBytes: number, use: (pointer: number) => T): T {
  const pointer = library.Module._malloc(Math.max(1, sizeBytes));
  if (pointer === 0) throw new Error(`no memory for ${sizeBytes} bytes`);
  try {
    return use(pointer);
  } finally {
    library.Module._free(pointer);
  }
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

function floatFormat(library: Library, metadata: Metadata): FloatBytes | null {
  if (metadata.type !== library.Module.H5T_class_t.H5T_FLOAT.value) return null;
  if (metadata.size === 2) return 'float16';
  if (metadata.size === 4) return 'float32';
  return metadata.size === 8 ? 'float64' : null;
}

function describeType(library: Library, metadata: Metadata): string {
  const classes = Object.entries(library.Module.H5T_class_t) as [string, { value: number }][];
  const name = classes.find(([, { value }]) => value === metadata.type)?.[0] ?? 'H5T_UNKNOWN';
  return `${metadata.size * 8}-bit elements of type ${name}`;
}

/** What HDF5's error stack says, in a few words; the whole of it stays in the error's cause. */
function describeFault(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  const truncated = /truncated file: eof = (\d+).*stored_eof = (\d+)/.exec(message);
  if (truncated) return `a truncated file of ${truncated[1]} bytes, of which there should be ${truncated[2]}`;
  // The last frame of the stack is the innermost, where the fault was noticed.
  const innermost = [...message.matchAll(/line \d+ in \w+\(\): (.*)/g)].at(-1)?.[1];
  return `a damaged file (${innermost ?? message.split('\n')[0]})`;
}
