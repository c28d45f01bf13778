/** h5wasm, loaded once, and files that it sees: their bytes lie where a {@link Backing} says, and nothing is left behind. */
import { setFlagsFromString } from 'node:v8';

/** The h5wasm module, compiled on first use (about 0.1 s) so that programs that read no model do not pay for it. */
export type Hdf5Library = typeof import('h5wasm') & {
  readonly Module: {
    readonly FS: VirtualFiles;
    _malloc(sizeBytes: number): number;
    _free(pointer: number): void;
  };
};

/** The part that we use of Emscripten's in-memory file system. */
interface VirtualFiles {
  readonly streams: readonly ({ readonly fd: number } | null | undefined)[];
  lookupPath(path: string): { readonly node: VirtualNode };
  writeFile(path: string, bytes: Uint8Array, options: { readonly canOwn: boolean }): void;
  close(stream: { readonly fd: number }): void;
  unlink(path: string): void;
}

type Transfer = (stream: unknown, heap: Int8Array, pointer: number, count: number, at: number) => number;

/** A file as Emscripten keeps it. */
interface VirtualNode {
  usedBytes: number;
  node_ops: { readonly setattr: (node: VirtualNode, attributes: { readonly size?: number }) => void };
  stream_ops: { readonly read: Transfer; readonly write: Transfer };
}

/**
 * From here on an array is read and written where it lies in the file, past the library, whose memory never gets smaller.
 * Smaller ones lie in its buffers, of 64 KiB each.
 */
export const LARGE_ARRAY_BYTES = 1 << 17;

/** Where the bytes of a file lie. Numbers of bytes and places in the file are as large as the file is. */
export interface Backing {
  readonly sizeBytes: number;
  /** Fills `into`, which is the library's memory, with what lies from `at` on: how many bytes there were. */
  read(into: Uint8Array, at: number): number;
  /**
   * Writes `count` bytes of the library's memory from `pointer` on. Where that is what {@link Hdf5Writer} has put there in
   * place of an array, they are none of the library's.
   */
  write?(heap: Int8Array, part: { readonly pointer: number; readonly count: number }, at: number): void;
  resize?(sizeBytes: number): void;
}

/**
 * How much of a WebAssembly function has to run before V8 compiles it again, optimised: of HDF5 that takes more
 * processor time than it saves until hundreds of models are read.
 */
const TIERING_BUDGET = { hdf5: 180_000_000, v8: 1_800_000 } as const;

let loading: Promise<Hdf5Library> | undefined;

/** The library, ready for use; its errors are thrown. */
export function loadLibrary(): Promise<Hdf5Library> {
  loading ??= load();
  return loading;
}

async function load(): Promise<Hdf5Library> {
  // A module keeps the budget that it was compiled with; others, those of engines, are to have the usual one.
  setFlagsFromString(`--wasm-tiering-budget=${TIERING_BUDGET.hdf5}`);
  try {
    const library = await import('h5wasm');
    const module = await library.ready;
    module.activate_throwing_error_handler();
    return library as unknown as Hdf5Library;
  } finally {
    setFlagsFromString(`--wasm-tiering-budget=${TIERING_BUDGET.v8}`);
  }
}

let virtualFiles = 0;

/**
 * Runs `use` with a fresh path; afterwards neither the file nor a stream that was opened meanwhile is left.
 *
 * @throws what `use` throws; what the backing throws instead, since the library, which it takes by surprise, tells other errors
 */
export function withVirtualFile<T>(library: Hdf5Library, use: (path: string) => T, backing?: Backing): T {
  const { FS } = library.Module;
  const path = `/fedbatch-${virtualFiles++}.h5`;
  const before = new Set(FS.streams);
  const failures: unknown[] = [];
  try {
    if (backing !== undefined) back(FS, path, keepingFailures(backing, failures));
    const result = use(path);
    if (failures.length > 0) throw failures[0];
    return result;
  } catch (error) {
    throw failures.length > 0 ? failures[0] : error;
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

/** The same backing, whose errors are added to `failures` as it throws them. */
function keepingFailures(backing: Backing, failures: unknown[]): Backing {
  const kept = <T>(work: () => T): T => {
    try {
      return work();
    } catch (error) {
      failures.push(error);
      throw error;
    }
  };
  return {
    sizeBytes: backing.sizeBytes,
    read: (into, at) => kept(() => backing.read(into, at)),
    write: (heap, part, at) => kept(() => backing.write?.(heap, part, at)),
    resize: (sizeBytes) => kept(() => backing.resize?.(sizeBytes)),
  };
}

/** Makes a file at `path` whose bytes lie elsewhere. */
function back(FS: VirtualFiles, path: string, backing: Backing): void {
  FS.writeFile(path, new Uint8Array(), { canOwn: true });
  const { node } = FS.lookupPath(path);
  node.usedBytes = backing.sizeBytes;
  node.stream_ops = {
    ...node.stream_ops,
    read: (_stream, { buffer }, pointer, count, at) =>
      backing.read(new Uint8Array(buffer, pointer, count), at),
    write(_stream, heap, pointer, count, at) {
      backing.write?.(heap, { pointer, count }, at);
      node.usedBytes = Math.max(node.usedBytes, at + count);
      return count;
    },
  };
  const { setattr } = node.node_ops;
  node.node_ops = {
    ...node.node_ops,
    setattr(_node, { size, ...others }) {
      setattr(node, others);
      if (size === undefined) return;
      backing.resize?.(size);
      node.usedBytes = size;
    },
  };
}

/**
 * Runs `use`, in which the library's memory, which it never gives back, may grow by `mostBytes`: a text may say that it has a
 * length for which its heap has no room, and the library makes room before it looks there.
 */
export function withLittleGrowth<T>({ Module }: Hdf5Library, mostBytes: number, use: () => T): T {
  const { prototype } = (globalThis as unknown as WithMemories).WebAssembly.Memory;
  const { grow } = prototype;
  const limit = Module.HEAPU8.length + mostBytes;
  // Emscripten keeps its memory to itself. What runs meanwhile is synchronous, and nobody else's.
  prototype.grow = function (pages) {
    if (this.buffer.byteLength + pages * PAGE_BYTES > limit)
      throw new RangeError(`no more than ${limit} bytes`);
    return grow.call(this, pages);
  };
  try {
    return use();
  } finally {
    prototype.grow = grow;
  }
}

/** Of a memory of WebAssembly, which Node's types know as a name alone. */
const PAGE_BYTES = 65_536;

interface WithMemories {
  readonly WebAssembly: {
    readonly Memory: {
      readonly prototype: { readonly buffer: ArrayBuffer; grow: (pages: number) => number };
    };
  };
}

/** Runs `use` with `sizeBytes` of the library's memory. */
export function withMemory<T>(library: Hdf5Library, sizeBytes: number, use: (pointer: number) => T): T {
  const pointer = library.Module._malloc(Math.max(1, sizeBytes));
  if (pointer === 0) throw new Error(`no memory for ${sizeBytes} bytes`);
  try {
    return use(pointer);
  } finally {
    library.Module._free(pointer);
  }
}
