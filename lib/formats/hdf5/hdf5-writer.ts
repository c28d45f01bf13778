/** Writing HDF5: the same calls give the same bytes, whenever and wherever. */
import type { File as Hdf5File } from 'h5wasm';
import { bytesOf, loadLibrary, reserveBytes, withVirtualFile } from './hdf5-library.js';

/** HDF5 keeps an attribute inside an object header message, whose length has 16 bits; Keras splits at the same size. */
export const MAX_INLINE_ATTRIBUTE_BYTES = 64512;

/** More than names, attributes and the tables of groups take in most files. */
const HEADER_BYTES = 1 << 17;

/** What can be put into a new HDF5 file. Paths begin with `/`; the parent groups must exist. */
export interface Hdf5Writer {
  group(path: string): void;
  text(path: string, name: string, value: string): void;
  /** At most {@link MAX_INLINE_ATTRIBUTE_BYTES} in UTF-8, each entry counted as long as the longest. */
  texts(path: string, name: string, values: readonly string[]): void;
  integer(path: string, name: string, value: number): void;
  floats(
    path: string,
    array: { readonly shape: readonly number[]; readonly values: Float32Array | Float64Array },
  ): void;
  bytes(path: string, values: Uint8Array): void;
}

/** The bytes of a new HDF5 file as `build` fills it, which is called twice: the same calls give the same bytes, whenever and wherever. */
export async function writeHdf5(build: (hdf5: Hdf5Writer) => void): Promise<Uint8Array> {
  const library = await loadLibrary();
  return withVirtualFile(library, (path) =>
    withStoppedClock(() => {
      // The oldest layout is what Keras itself writes: every HDF5 library since 1.0 reads it.
      const file = new library.File(path, 'w', { libver: ['earliest', 'latest'] });
      try {
        reserveBytes(library, path, arrayBytes(build) + HEADER_BYTES);
        build(createWriter(file));
      } finally {
        file.close();
      }
      return bytesOf(library, path);
    }),
  );
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
    ...{ group: pass, text: pass, texts: pass, integer: pass },
    floats: (_path, { values }) => {
      sizeBytes += values.byteLength;
    },
    bytes: (_path, values) => {
      sizeBytes += values.byteLength;
    },
  });
  return sizeBytes;
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
    bytes: (path, values) => void file.create_dataset({ name: path.slice(1), data: values }),
  };
}
