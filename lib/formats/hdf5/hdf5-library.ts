/** h5wasm, loaded once, and files in its memory that leave nothing behind. */
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

/** A file in memory; `contents` may have more room than the file takes. */
interface VirtualNode {
  contents: Uint8Array | null;
  readonly usedBytes: number;
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

/** Runs `use` with a fresh path; afterwards neither the file nor a stream that was opened meanwhile is left. */
export function withVirtualFile<T>(library: Hdf5Library, use: (path: string) => T): T {
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

/** Makes room for a file of `sizeBytes`, which would otherwise be copied whenever it grows by an eighth. */
export function reserveBytes({ Module }: Hdf5Library, path: string, sizeBytes: number): void {
  const { node } = Module.FS.lookupPath(path);
  const room = new Uint8Array(Math.max(sizeBytes, node.usedBytes));
  room.set((node.contents ?? room).subarray(0, node.usedBytes));
  node.contents = room;
}

/** The bytes of a file in memory, without a copy: for when nobody writes to it any more. */
export function bytesOf({ Module }: Hdf5Library, path: string): Uint8Array {
  const { contents, usedBytes } = Module.FS.lookupPath(path).node;
  return (contents ?? new Uint8Array()).subarray(0, usedBytes);
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
